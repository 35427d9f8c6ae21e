"""The grader is right: every answer whose grade is known gets it, through the sandbox, in every exercise there is."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from support import ROOT

from autograder.course.catalog import find_exercises
from autograder.grading.known_answers import Case, cases, document
from autograder.grading.verify import examine
from autograder.records import VALUES, Exercise, Report, Settings, Submission

EXERCISES = {exercise.slug: exercise for exercise in find_exercises(ROOT)}
CASES = {
    f"{slug}-{case.kind}-{case.name}": (exercise, case)
    for slug, exercise in EXERCISES.items()
    for case in cases(exercise)
}
SEED = 20261122
LABS = [
    pytest.param(slug, marks=pytest.mark.sampled("references", 2, slug)) for slug in EXERCISES
]  # a landing grades two
OF_A_LAB = {"mutant": 2, "variant": 1}  # cases that a landing grades


def known() -> list[Any]:
    """Every mutant and variant, as parameters of a test."""
    return [
        pytest.param(name, marks=pytest.mark.sampled(f"{exercise.slug} {case.kind}", OF_A_LAB[case.kind]))
        for name, (exercise, case) in CASES.items()
        if case.kind in OF_A_LAB
    ]


@pytest.mark.parametrize("name", known())
def test_the_grade_is_the_known_one(name: str) -> None:
    """In the tasks that a case is about; `ptqlab verify` looks at every task that it could touch, under ten seeds."""
    exercise, case = CASES[name]
    finding = examine(exercise, case, Settings(SEED), case.tasks)
    wrong = [
        f"{t.test}: {t.status} {t.message}" for task in finding.report.tasks for t in task.tests if t.status != "passed"
    ]
    assert finding.as_expected, (sorted(finding.lost), finding.report.reason, wrong)


@cache
def graded(slug: str, kind: str) -> Report:
    """The reference's or the stub's report."""
    exercise = EXERCISES[slug]
    return examine(exercise, next(case for case in cases(exercise) if case.kind == kind), Settings(SEED)).report


@pytest.mark.parametrize("slug", LABS)
def test_the_reference_earns_all_points_and_the_stub_none(slug: str) -> None:
    exercise, reference = EXERCISES[slug], graded(slug, "reference")
    bonus = sum(task.points for task in exercise.tasks if task.bonus)
    assert (reference.earned, reference.status) == (exercise.possible + bonus, "graded")
    assert graded(slug, "stub").earned == 0


def constant(exercise: Exercise, body: str) -> Submission:
    names = "\n".join(f"{name} = Answer" for name in exercise.functions)
    source = f"import torch\n\n\nclass Answer:\n    def __new__(cls, *args, **kwargs):\n        {body}\n\n\n{names}\n"
    return Submission("constant", exercise.slug, source, "")


CONSTANTS = {
    "raises ValueError": "raise ValueError('no')",
    "returns zeros": "return torch.zeros(4, 8), torch.zeros(())",
    "returns zeros like its input": "return torch.zeros_like(args[0]) if args and isinstance(args[0], torch.Tensor) else 0.0",
    "returns its input": "return args[0] if args else None",
    "returns None": "return None",
    "returns NaN": "return float('nan')",
}


@pytest.mark.sampled("constants", 3)
@pytest.mark.parametrize("body", CONSTANTS.values(), ids=CONSTANTS)
@pytest.mark.parametrize("slug", EXERCISES)
def test_an_answer_that_computes_nothing_earns_nothing(slug: str, body: str) -> None:
    exercise = EXERCISES[slug]
    case = Case("constant", "constant", constant(exercise, body).source, frozenset(), "")
    report = examine(exercise, case, Settings(SEED)).report
    assert (report.earned, report.status) == (0, "graded"), [
        t for task in report.tasks for t in task.tests if t.status == "passed"
    ]


@pytest.mark.parametrize("slug", LABS)
def test_every_item_of_every_task_has_tests_and_enough_known_answers(slug: str) -> None:
    exercise = EXERCISES[slug]
    assert exercise.solution is not None, f"solutions/{slug} is missing"
    report = graded(slug, "reference")
    known = list(cases(exercise))
    for task in report.tasks:
        items = {item.item for item in task.items}
        assert {test.item for test in task.tests} == items, f"task {task.id} needs a test of each item, and no others"
        places = {test.hidden for test in task.tests if test.item == VALUES}
        assert places == {True, False}, f"task {task.id} needs public and hidden tests of values"
        mutants = [case for case in known if case.kind == "mutant" and task.id in case.tasks]
        assert len(mutants) >= 4, f"task {task.id} has {len(mutants)} mutants; four are needed"
    for kind, name in (("mutants", "loses"), ("variants", "variant of")):
        assert list((exercise.solution / kind).glob("*.py")), f"{kind} with a '# {name}:' header are missing"


@pytest.mark.sampled("claims", 1)
@pytest.mark.parametrize("slug", EXERCISES)
def test_every_test_says_what_it_claims_and_a_failure_of_a_hidden_one_carries_no_value(slug: str) -> None:
    """A hidden message is words: not one number with a decimal point, no tensor, no call."""
    exercise = EXERCISES[slug]
    zeros = Case("c", "constant", constant(exercise, CONSTANTS["returns zeros"]).source, frozenset(), "")
    for test in (test for task in examine(exercise, zeros, Settings(SEED)).report.tasks for test in task.tests):
        assert test.claim != test.test.rpartition("::")[2], f"{test.test} has no docstring"
        if test.hidden:
            assert "called:" not in test.message
            assert "tensor(" not in test.message


def test_the_table_in_the_documentation_is_up_to_date() -> None:
    """If this fails, run `ptqlab verify --table docs/mutants.md`."""
    assert (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8") == document(list(EXERCISES.values()))
