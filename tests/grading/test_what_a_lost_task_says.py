"""A task that was lost for want of a package or of a newer Python says so, and not NameError."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autograder.grading import grade as grading
from autograder.records import Exercise, Limits, Outcome, Provenance, RubricItem, Status, Submission, Task
from autograder.scoring import score

TASKS = tuple(
    Task(id_, {}, (name,), 2.0, {}, rubric=(RubricItem("values", 100, {}),))
    for id_, name in (("1.1", "f"), ("1.2", "g"))
)
LAB = Exercise("01_first", {}, TASKS, Limits(), Path("nowhere"))
PASSED = Outcome("t", "1.1", "values", True, Status.PASSED, "It works.")
SAID = "pandas isn't available to the grader; imported in cell 6"
MADE_WITH = Provenance("", "", "", 0, "", "", Limits())


@pytest.mark.parametrize(
    ("status", "message", "is_told"),
    [
        (Status.FAILED, "NameError: name 'pd' is not defined", True),
        (Status.FAILED, "ModuleNotFoundError: No module named 'pandas'", True),
        (Status.MISSING, "not written yet", True),
        (Status.FAILED, "the scale is 3 and not 4", False),
        (Status.TIMED_OUT, "NameError", False),
    ],
)
def test_a_task_lost_for_want_of_a_package_names_it(status: Status, message: str, is_told: bool) -> None:
    """Only where the outcome is one of a missing name, and only in tasks that depend on the package."""
    outcomes = [
        replace(PASSED, status=status, message=message),
        replace(PASSED, task="1.2", status=status, message="x"),
    ]
    one, other = grading._with_headlines(LAB, {"f": ("pandas", "cell 6, line 1")}, outcomes)
    assert one == (replace(outcomes[0], status=Status.FAILED, message=SAID) if is_told else outcomes[0])
    assert other == outcomes[1]


def test_tasks_are_lost_by_their_points_alone() -> None:
    outcomes = [PASSED, replace(PASSED, task="1.2", status=Status.FAILED)]
    report = score(LAB, Submission("ann", "01_first", "", ""), outcomes, MADE_WITH)
    assert [task.id for task in grading._lost(LAB, report)] == ["1.2"]


def test_imports_that_are_spoken_of_are_not_told_twice_and_failures_are_few() -> None:
    submission = Submission("ann", "01_first", "", "", absent={"f": ("pandas", "cell 6, line 1")})
    problems = ["Cell 6, line 1: ModuleNotFoundError: No module named 'pandas'", *(f"Cell {n}" for n in range(7, 20))]
    assert grading._told(submission, problems) == problems[1:6]
