"""Outcomes -> Report: a pure function. Points and the rubric stand in exercise.toml and nowhere else.

The item `values` pays in proportion to its tests. Every other item pays all or nothing, and only when `values` is
complete: an answer that always raises, or always returns the same, earns nothing. Public and hidden tests weigh alike;
but public inputs are published and can be learnt by heart, so a task pays only when a hidden test of `values` passes,
where there are hidden tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

from autograder.records import (
    VALUES,
    Exercise,
    ItemScore,
    Outcome,
    Provenance,
    PtqlabError,
    Report,
    RubricItem,
    Status,
    Submission,
    Task,
    TaskScore,
)

CUT_SHORT = (Status.TIMED_OUT, Status.CRASHED)


def score(
    exercise: Exercise,
    submission: Submission,
    outcomes: Sequence[Outcome],
    provenance: Provenance,
    *,
    duration_s: float = 0.0,
    every_item: bool = True,
) -> Report:
    """Return the report of one submission. With `every_item`, an item of which no test ran withholds the score."""
    tasks = tuple(score_task(task, outcomes, every_item=every_item) for task in exercise.tasks)
    faults = [_fault(task, _tests_of(task, outcomes), every_item) for task in exercise.tasks]
    status, reason = _status(submission, [fault for fault in faults if fault], outcomes)
    earned = None if status == "withheld" else round(sum(task.earned for task in tasks), 2)
    return Report(
        student=submission.student,
        exercise=exercise.slug,
        title=exercise.title,
        earned=earned,
        possible=exercise.possible,
        status=status,
        reason=reason,
        **_fields(provenance),
        submission_sha256=submission.sha256,
        duration_s=duration_s,
        notes=submission.notes,
        tasks=tasks,
    )


def score_task(task: Task, outcomes: Sequence[Outcome], *, every_item: bool = True) -> TaskScore:
    """Return one task's points: nothing for an outcome that is not `passed`, nothing at all on our own error.

    Without `every_item`, as in a student's own check, an item of which no test ran is unchecked and pays nothing.
    """
    tests = _tests_of(task, outcomes)
    if _fault(task, tests, every_item):
        return _nothing(task, "withheld", tests)
    values = _values_paid(tests)
    parts = [(item, _paid(item, tests, values)) for item in task.rubric]
    items = tuple(_item_score(task, item, part, _item_status(item, tests, part)) for item, part in parts)
    share = Fraction(sum(item.share * part for item, part in parts), 100)
    return _task_score(task, _task_status(tests, share), share, items, tests)


def _tests_of(task: Task, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    return tuple(outcome for outcome in outcomes if outcome.task == task.id)


def _fields(provenance: Provenance) -> dict[str, Any]:
    return {field.name: getattr(provenance, field.name) for field in fields(provenance)}


def _nothing(task: Task, status: str, tests: tuple[Outcome, ...] = ()) -> TaskScore:
    items = tuple(_item_score(task, item, Fraction(0), status) for item in task.rubric)
    return _task_score(task, status, Fraction(0), items, tests)


def _task_score(
    task: Task, status: str, share: Fraction, items: tuple[ItemScore, ...], tests: tuple[Outcome, ...]
) -> TaskScore:
    earned = _cents(_points(task) * share)
    return TaskScore(task.id, task.title, task.points, earned, task.bonus, status, task.hint, items, tests)


def _item_score(task: Task, item: RubricItem, part: Fraction, status: str) -> ItemScore:
    points = _points(task) * Fraction(item.share, 100)
    return ItemScore(item.item, item.text, _cents(points), _cents(points * part), status)


def _points(task: Task) -> Fraction:
    return Fraction(str(task.points))


def _cents(points: Fraction) -> float:
    return round(float(points), 2)


def _statuses(tests: Sequence[Outcome], item: str) -> list[Status]:
    return [outcome.status for outcome in tests if outcome.item == item]


def _values_paid(tests: Sequence[Outcome]) -> Fraction:
    """The part of `values` that is earned: none, unless a test of it passes whose inputs are not published."""
    statuses = _statuses(tests, VALUES)
    hidden = [outcome.status for outcome in tests if outcome.item == VALUES and outcome.hidden]
    if not statuses or (hidden and Status.PASSED not in hidden):
        return Fraction(0)
    return Fraction(statuses.count(Status.PASSED), len(statuses))


def _paid(item: RubricItem, tests: Sequence[Outcome], values: Fraction) -> Fraction:
    """The part of an item's points that is earned."""
    if item.item == VALUES:
        return values
    return Fraction(values == 1 and _is_complete(item, tests))


def _is_complete(item: RubricItem, tests: Sequence[Outcome]) -> bool:
    statuses = _statuses(tests, item.item)
    return bool(statuses) and all(status is Status.PASSED for status in statuses)


def _item_status(item: RubricItem, tests: Sequence[Outcome], part: Fraction) -> str:
    if not _statuses(tests, item.item):
        return "unchecked"
    if part:
        return "full" if part == 1 else "partial"
    return "waiting" if _is_complete(item, tests) else "none"


def _task_status(tests: Sequence[Outcome], share: Fraction) -> str:
    statuses = [outcome.status for outcome in tests]
    if share == 1:
        return "full"
    if Status.REFUSED in statuses:
        return "refused"
    if statuses and all(status is Status.MISSING for status in statuses):
        return "missing"
    return "partial" if share else "none"


def _fault(task: Task, tests: Sequence[Outcome], every_item: bool) -> str:
    """Why a task can't be scored, by no fault of the student's; empty when it can."""
    errors = [outcome for outcome in tests if outcome.status is Status.GRADER_ERROR]
    if errors:
        return f"The grader itself failed in {errors[0].test}: {errors[0].message}"
    items = [item.item for item in task.rubric]
    stray = [outcome for outcome in tests if outcome.item not in items]
    if stray:
        return f"{stray[0].test} names the item {stray[0].item!r}, which the rubric of task {task.id} does not have."
    untested = [item for item in items or [VALUES] if not _statuses(tests, item)]
    if untested and every_item:
        return f"No test ran for {', '.join(untested)} of task {task.id}: the exercise's tests are incomplete."
    return ""


def _status(submission: Submission, faults: Sequence[str], outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """Return the report's status and, unless it is plainly graded, the reason in one sentence."""
    if submission.problem:
        return "unreadable", submission.problem
    if faults:
        return "withheld", faults[0]
    cut = [outcome for outcome in outcomes if outcome.status in CUT_SHORT]
    if cut:
        return "partial", f"{len(cut)} tests timed out or crashed, the first in task {cut[0].task}."
    return "graded", ""


def rescore(exercise: Exercise, report: Report, outcomes_sha256: str, points_sha256: str) -> Report:
    """Return the report of the same outcomes under the exercise's present points; nothing is run again.

    The fingerprints are those of the exercise as it is now. Raises PtqlabError when the outcomes are of other tests.
    """
    outcomes = [outcome for task in report.tasks for outcome in task.tests]
    provenance = replace(report.provenance, points_sha256=points_sha256)
    submission = Submission(report.student, exercise.slug, "", report.submission_sha256, notes=report.notes)
    if not outcomes and report.status in ("unreadable", "withheld"):
        return unscored(exercise, submission, report.status, report.reason, provenance)
    if report.outcomes_sha256 != outcomes_sha256:
        raise PtqlabError(
            f"Expected outcomes of the present tests of {exercise.slug}, but {report.student} was graded with others: "
            "tests, limits, data or torch have changed since. Grade the submissions again."
        )
    return score(exercise, submission, outcomes, provenance, duration_s=report.duration_s)


def unscored(exercise: Exercise, submission: Submission, status: str, reason: str, provenance: Provenance) -> Report:
    """Return the report of a submission for which no test ran: `unreadable` earns 0, `withheld` issues no score."""
    return Report(
        student=submission.student,
        exercise=exercise.slug,
        title=exercise.title,
        earned=None if status == "withheld" else 0.0,
        possible=exercise.possible,
        status=status,
        reason=reason,
        **_fields(provenance),
        submission_sha256=submission.sha256,
        duration_s=0.0,
        notes=submission.notes,
        tasks=tuple(_nothing(task, "withheld" if status == "withheld" else "none") for task in exercise.tasks),
    )
