"""Outcomes -> Report: a pure function. Points stand in exercise.toml and nowhere else.

A task's core tests share 60 % of its points. Its edge tests share 40 %, and pay only when all its core tests pass:
an answer that always raises, or always returns the same, earns nothing. Public and hidden tests weigh alike; but public
inputs are published and can be learnt by heart, so a task pays only when a hidden core test passes, where it has any.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from autograder.records import Exercise, Outcome, Report, Settings, Status, Submission, Task, TaskScore

CORE_SHARE = Fraction(60, 100)
CUT_SHORT = (Status.TIMED_OUT, Status.CRASHED)


def score(
    exercise: Exercise, submission: Submission, outcomes: Sequence[Outcome], settings: Settings, **facts: object
) -> Report:
    """Give the report of one submission. `facts` are the report's fields that no test decides."""
    tasks = tuple(score_task(task, outcomes) for task in exercise.tasks)
    status, reason = _status(submission, tasks)
    earned = None if status == "withheld" else round(sum(task.earned for task in tasks), 2)
    return Report(
        student=submission.student,
        exercise=exercise.slug,
        title=exercise.title,
        earned=earned,
        possible=exercise.possible,
        status=status,
        reason=reason,
        seed=settings.seed,
        submission_sha256=submission.sha256,
        tasks=tasks,
        **facts,  # type: ignore[arg-type]
    )


def score_task(task: Task, outcomes: Sequence[Outcome]) -> TaskScore:
    """One task's points: nothing for an outcome that is not `passed`, nothing at all on our own error."""
    own = tuple(outcome for outcome in outcomes if outcome.task == task.id)
    core = [outcome.status for outcome in own if outcome.kind == "core"]
    edge = [outcome.status for outcome in own if outcome.kind == "edge"]
    share = Fraction(0)
    if core and _is_understood(own):
        core_share = CORE_SHARE if edge else Fraction(1)
        share = core_share * Fraction(core.count(Status.PASSED), len(core))
        if core.count(Status.PASSED) == len(core) and edge:
            share += (1 - CORE_SHARE) * Fraction(edge.count(Status.PASSED), len(edge))
    status = _task_status(own, share)
    earned = 0.0 if status == "withheld" else round(float(share * Fraction(str(task.points))), 2)
    return TaskScore(task.id, task.title, task.points, earned, task.bonus, status, task.hint, own)


def _is_understood(outcomes: Sequence[Outcome]) -> bool:
    """Whether a core test whose inputs are not published has passed; or there is none, as in a student's own check."""
    hidden = [outcome.status for outcome in outcomes if outcome.kind == "core" and outcome.hidden]
    return not hidden or Status.PASSED in hidden


def _task_status(outcomes: Sequence[Outcome], share: Fraction) -> str:
    statuses = [outcome.status for outcome in outcomes]
    kinds = {outcome.kind for outcome in outcomes}
    if Status.GRADER_ERROR in statuses or "core" not in kinds or not kinds <= {"core", "edge"}:
        return "withheld"
    if share == 1:
        return "full"
    if Status.REFUSED in statuses:
        return "refused"
    if all(status is Status.MISSING for status in statuses):
        return "missing"
    return "partial" if share else "none"


def _status(submission: Submission, tasks: Sequence[TaskScore]) -> tuple[str, str]:
    """The report's status and, unless it is plainly graded, the reason in one sentence."""
    if submission.problem:
        return "unreadable", submission.problem
    faults = [outcome for task in tasks for outcome in task.tests if outcome.status is Status.GRADER_ERROR]
    if faults:
        return "withheld", f"The grader itself failed in {faults[0].test}: {faults[0].message}"
    untested = [task.id for task in tasks if task.status == "withheld"]
    if untested:
        return "withheld", f"No core test ran for task {', '.join(untested)}: the exercise's tests are incomplete."
    cut = [outcome for task in tasks for outcome in task.tests if outcome.status in CUT_SHORT]
    if cut:
        return "partial", f"{len(cut)} tests timed out or crashed, the first in task {cut[0].task}."
    return "graded", ""


def rescore(exercise: Exercise, report: Report) -> Report:
    """The same outcomes under the exercise's present points; nothing is run again."""
    outcomes = [outcome for task in report.tasks for outcome in task.tests]
    submission = Submission(report.student, report.exercise, "", report.submission_sha256)
    if report.status == "unreadable" or (report.status == "withheld" and not outcomes):
        tasks = tuple(_empty(task, report.status) for task in exercise.tasks)
        return _replaced(report, exercise, tasks)
    settings = Settings(seed=report.seed)
    kept = ("isolation", "device", "kit_version", "tests_sha256", "duration_s", "notes")
    return score(exercise, submission, outcomes, settings, **{name: getattr(report, name) for name in kept})


def unscored(
    exercise: Exercise, submission: Submission, status: str, reason: str, settings: Settings, **facts: object
) -> Report:
    """The report of a submission for which no test ran: `unreadable` earns 0, `withheld` issues no score."""
    tasks = tuple(_empty(task, status) for task in exercise.tasks)
    return Report(
        student=submission.student,
        exercise=exercise.slug,
        title=exercise.title,
        earned=None if status == "withheld" else 0.0,
        possible=exercise.possible,
        status=status,
        reason=reason,
        seed=settings.seed,
        submission_sha256=submission.sha256,
        tasks=tasks,
        **facts,  # type: ignore[arg-type]
    )


def _empty(task: Task, status: str) -> TaskScore:
    kind = "withheld" if status == "withheld" else "none"
    return TaskScore(task.id, task.title, task.points, 0.0, task.bonus, kind, task.hint, ())


def _replaced(report: Report, exercise: Exercise, tasks: tuple[TaskScore, ...]) -> Report:
    from dataclasses import replace  # noqa: PLC0415

    return replace(report, title=exercise.title, possible=exercise.possible, tasks=tasks)
