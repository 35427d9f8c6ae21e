"""One submission, from its code to its score: load it in a jailed worker, run the tests, score their outcomes."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch

from autograder.course.fingerprint import outcomes_sha256, provenance
from autograder.grading.environment import grading_devices, sandbox_policy
from autograder.grading.reference import reference_namespace
from autograder.grading.replay import ReplayCache, ReplayingWorker, replay_cache
from autograder.records import Exercise, Outcome, Report, Settings, Status, Submission, Task
from autograder.sandbox.worker import Worker
from autograder.scoring import score, unscored
from autograder.submission import packages
from autograder.submission.newer_python import needs_newer
from autograder.testing.plugin import run_suites

_MOST_PROBLEMS = 5  # statements that failed, of which a student is told


class HangingError(Exception):
    """A call has run out of time; the submission is graded when nobody waits behind it."""


def grade(
    exercise: Exercise,
    submission: Submission,
    settings: Settings,
    secrets: tuple[str, ...] = (),
    only: Collection[str] | None = None,
    until_lost: bool = False,
    patient: bool = True,
) -> Report:
    """Grade one submission. `secrets` are further paths that its code must not be able to read.

    `only` names the tasks to grade, where not all are: the report then knows of no others. With `until_lost` an
    item is given up at the first test that does not pass: the report then tells what is lost, and no score.

    Raises HangingError where not `patient`, as soon as a call has run out of time.
    Raises IsolationError below the isolation floor, and PtqlabError for settings this machine can't satisfy.
    """
    started = time.perf_counter()
    torch.set_num_threads(1)  # the inputs are small, and the other cores grade other students
    devices = grading_devices(settings)
    made_with = provenance(exercise, settings.seed, ", ".join(devices), "not run")
    if submission.problem:
        return unscored(exercise, submission, "unreadable", submission.problem, made_with)

    policy = sandbox_policy(exercise, settings, secrets, devices)
    code = submission.source, exercise.limits, policy, exercise.preload
    with Worker(*code, submission.helpers, submission.late_annotations, patient) as worker:
        worker.start()
        student = ReplayingWorker(worker, _replay_cache(exercise, settings, devices))
        run = partial(run_suites, exercise, student, settings.seed, devices, hidden=True, replay=student)
        outcomes = run(only=only, until_lost=until_lost, reference=reference_namespace)
        if worker.gave_up:
            raise HangingError
        submission = replace(submission, notes=(*_told(submission, worker.problems), *submission.notes))

    graded, made_with = _with_tasks(exercise, only), replace(made_with, isolation=worker.isolation)
    report = score(
        graded,
        submission,
        _with_headlines(graded, submission.absent, outcomes),
        made_with,
        duration_s=round(time.perf_counter() - started, 3),
        every_item=not until_lost,
    )
    reason = needs_newer(submission.needs_python, _lost(graded, report))
    return unscored(graded, submission, "withheld", reason, made_with) if reason else report


def _told(submission: Submission, problems: Sequence[str]) -> list[str]:
    """The first statements that failed when the code was loaded, but for imports that notes speak of already."""
    known = [f"No module named '{package}" for package, _ in submission.absent.values()]
    return [problem for problem in problems if not any(words in problem for words in known)][:_MOST_PROBLEMS]


def _lost(exercise: Exercise, report: Report) -> list[Task]:
    """The tasks that lost points, by no fault of the grader's."""
    lost = {task.id for task in report.tasks if task.earned < task.points and task.status != "withheld"}
    return [task for task in exercise.tasks if task.id in lost]


def _with_headlines(
    exercise: Exercise, absent: Mapping[str, tuple[str, str]], outcomes: Sequence[Outcome]
) -> tuple[Outcome, ...]:
    """The outcomes, where a name that is missing because of a package that isn't here says so, and not NameError."""
    said = {task.id: packages.headline(absent, task.functions) for task in exercise.tasks}
    return tuple(
        replace(outcome, status=Status.FAILED, message=said[outcome.task])
        if said.get(outcome.task) and _is_for_want_of_a_name(outcome)
        else outcome
        for outcome in outcomes
    )


def _is_for_want_of_a_name(outcome: Outcome) -> bool:
    is_named = any(error in outcome.message for error in ("NameError", "ModuleNotFoundError", "ImportError"))
    return outcome.status is Status.MISSING or (outcome.status is Status.FAILED and is_named)


def _replay_cache(exercise: Exercise, settings: Settings, devices: tuple[str, ...]) -> ReplayCache:
    """Return this process's cache for the tests as they are now; an empty one where every test has to run."""
    if settings.every_test:
        return ReplayCache()
    folders = filter(None, (exercise.folder, exercise.solution))
    stamps = tuple(file.stat().st_mtime_ns for folder in folders for file in sorted(folder.glob("*.py")))
    return replay_cache((exercise.folder, stamps, outcomes_sha256(exercise), settings.seed, devices))


def _with_tasks(exercise: Exercise, only: Collection[str] | None) -> Exercise:
    return exercise if only is None else replace(exercise, tasks=tuple(t for t in exercise.tasks if t.id in only))
