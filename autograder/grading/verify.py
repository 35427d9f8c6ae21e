"""An instructor's dry run: grade every answer whose grade is known, right and wrong, and compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from rich.console import Console
from rich.text import Text

from autograder.grading.grade import grade
from autograder.grading.known_answers import Case, altered, cases
from autograder.grading.reference import reference_namespace
from autograder.pool.executor import GraderPool
from autograder.records import VALUES, Exercise, Outcome, Report, Settings, Status, Submission
from autograder.runtime.dispatcher import MODULE
from autograder.submission.pieces import Cell
from autograder.submission.slicing import slice_cells
from autograder.testing.plugin import run_suites
from autograder.testing.proxy import InProcess

LEAST_WRONG_ANSWERS = 2  # of each item
MOST_HIDDEN_ONLY = 0.02  # of a lab's wrong answers may look right to the public tests


@dataclass(frozen=True)
class Verification:
    """The grader's verdict on a case: the items that it lost, in all tests and in the public ones."""

    case: Case
    lost: frozenset[str]
    lost_at_home: frozenset[str]
    report: Report

    @property
    def as_expected(self) -> bool:
        """Tell whether exactly the items that had to be lost were lost, in a score that was issued."""
        return self.lost == self.case.loses and self.report.earned is not None

    @property
    def fair_at_home(self) -> bool:
        """Tell whether a student who made this mistake sees it before handing in."""
        return bool(self.case.at_home) or self.lost_at_home == self.lost


def examine(exercise: Exercise, case: Case, settings: Settings, only: Collection[str] | None = None) -> Verification:
    """Grade one case as if a student had handed it in: what no task needs (plots, experiments) is cut off first.

    `only` names the tasks to grade; the others were found to be the reference's (see `altered`). An item that a wrong
    answer lost is not tested any further, nor is a task whose `values` it lost.
    """
    sliced = slice_cells([Cell(0, case.source)], exercise.functions)
    submission = Submission(case.name, exercise.slug, sliced.source, "")
    report = grade(exercise, submission, settings, only=only, until_lost=case.kind == "mutant")
    outcomes = [outcome for task in report.tasks for outcome in task.tests]
    return Verification(case, _lost(outcomes), _lost(test for test in outcomes if not test.hidden), report)


def _lost(outcomes: Iterable[Outcome]) -> frozenset[str]:
    """Return the items of which a test failed; where `values` are lost, no others of that task: they hang on them."""
    lost = {(test.task, test.item) for test in outcomes if test.status is not Status.PASSED}
    return frozenset(f"{task}/{item}" for task, item in lost if item == VALUES or (task, VALUES) not in lost)


def functions_called(exercise: Exercise) -> dict[str, frozenset[str]]:
    """Return, for each task, the functions that its tests call."""
    return {task.id: functions_called_in(exercise, task.id) for task in exercise.tasks}


def functions_called_in(exercise: Exercise, task: str) -> frozenset[str]:
    """Return the functions that one task's tests call, as seen while the reference solves them in this process."""
    assert exercise.solution is not None
    student = _NamesCalled(reference_namespace(exercise.folder, exercise.solution))
    outcomes = run_suites(exercise, student, 1, ("cpu",), hidden=True, only={task}, reference=reference_namespace)
    passed = all(outcome.status is Status.PASSED for outcome in outcomes)
    return frozenset(student.names if passed else exercise.functions)  # a test that ended early may call more


class _NamesCalled(InProcess):
    """An endpoint that notes which functions of the module are called."""

    def __init__(self, namespace: Any, names: set[str] | None = None) -> None:
        super().__init__(namespace)
        self.names = set() if names is None else names

    def fresh(self) -> _NamesCalled:
        return _NamesCalled(self._namespace, self.names)

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["op"] == "call" and request["target"] == MODULE:
            self.names.add(request["name"].split(".")[0])
        return super().run(request)


def run(exercise: Exercise, seeds: int, console: Console, jobs: int = 1) -> int:
    """Grade every case under each seed, print the verdict, and return how many things were not as they must be.

    The reference and the stub are graded in full, the others in the tasks whose tests can see how they differ.
    """
    every = list(cases(exercise))
    with GraderPool(jobs, preload=exercise.preload) as pool:
        pending = {task.id: pool.submit(functions_called_in, exercise, task.id) for task in exercise.tasks}
        called = {task: future.result() for task, future in pending.items()}
        futures = [
            (seed, pool.submit(examine, exercise, case, Settings(seed), altered(exercise, case, called)))
            for seed in range(1, seeds + 1)
            for case in every
        ]
        complaints = []
        for seed, future in futures:
            verification = future.result()
            complaints += _complaints(verification, seed)
            if verification.case.kind == "reference" and seed == 1:
                proofs = item_proofs(exercise, every, verification.report)
                complaints += _unproven(every, proofs)
                console.print("\n".join(map(str, proofs)), highlight=False, soft_wrap=True)
    for complaint in complaints:
        console.print(Text(complaint, style="red"), soft_wrap=True)
    counts = Counter(case.kind for case in every)
    verdict = "all graded as they must be" if not complaints else f"{len(complaints)} things are wrong"
    console.print(
        f"{exercise.slug}: {counts['mutant']} mutants and {counts['variant']} variants, reference and stub, "
        f"under {seeds} seed{'s' * (seeds > 1)}: {verdict}",
        highlight=False,
        soft_wrap=True,
    )
    return len(complaints)


def _complaints(verification: Verification, seed: int) -> list[str]:
    case = verification.case
    title = f"{case.kind} {case.name} (seed {seed})"
    if not verification.as_expected:
        tests = [
            f"\n  {test.test}: {test.status} {test.message}"
            for task in verification.report.tasks
            for test in task.tests
            if test.status is not Status.PASSED
        ]
        return [f"{title}: expected to lose {_words(case.loses)}, lost {_words(verification.lost)}{''.join(tests)}"]
    if not verification.fair_at_home:
        return [f"{title}: loses {_words(verification.lost)}, but at home {_words(verification.lost_at_home)}"]
    return []


def _words(items: Collection[str]) -> str:
    return ", ".join(sorted(items)) or "nothing"


@dataclass(frozen=True)
class ItemProof:
    """What shows that an item of the rubric is tested: its tests, and the wrong answers that lose it."""

    item: str
    public: tuple[str, ...]
    hidden: tuple[str, ...]
    wrong_answers: tuple[str, ...]

    @property
    def lacks(self) -> tuple[str, ...]:
        """What is missing, in words."""
        few = len(self.wrong_answers) < LEAST_WRONG_ANSWERS
        hidden_needed = not self.item.endswith("/errors")
        return (
            *(["a public test"] if not self.public else []),
            *(["a hidden test"] if hidden_needed and not self.hidden else []),
            *([f"{LEAST_WRONG_ANSWERS} wrong answers that lose it"] if few else []),
        )

    def __str__(self) -> str:
        counts = f"{len(self.public)} public, {len(self.hidden)} hidden, {len(self.wrong_answers)} wrong answers"
        return f"  {self.item:<16} {counts}"


def item_proofs(exercise: Exercise, every: Sequence[Case], reference: Report) -> list[ItemProof]:
    """Return what proves each item, in the rubric's order; `reference` is the reference's report."""
    tests = {(f"{test.task}/{test.item}", test.hidden, test.test) for task in reference.tasks for test in task.tests}

    def proof(item: str) -> ItemProof:
        public, hidden = (
            tuple(sorted(test for name, is_hidden, test in tests if name == item and is_hidden is wanted))
            for wanted in (False, True)
        )
        wrong = tuple(case.name for case in every if case.kind == "mutant" and item in case.loses)
        return ItemProof(item, public, hidden, wrong)

    return [proof(f"{task.id}/{item.item}") for task in exercise.tasks for item in task.rubric]


def _unproven(every: Sequence[Case], proofs: Sequence[ItemProof]) -> list[str]:
    """Return what the tests and the known answers leave unproven, one sentence each."""
    lacking = [f"{proof.item} lacks {' and '.join(proof.lacks)}" for proof in proofs if proof.lacks]
    wrong = [case for case in every if case.kind == "mutant"]
    hidden_only = [case.name for case in wrong if case.at_home]
    if len(hidden_only) > ceil(MOST_HIDDEN_ONLY * len(wrong)):
        most = f"{MOST_HIDDEN_ONLY:.0%} of the wrong answers"
        lacking.append(f"expected at most {most} that only hidden tests tell; got {_words(hidden_only)}")
    return lacking
