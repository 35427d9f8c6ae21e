"""One submission, from its code to its score: load it in a jailed worker, run the tests, score their outcomes."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from functools import partial

import torch

from autograder.course.fingerprint import outcomes_sha256, provenance
from autograder.grading.environment import grading_devices, sandbox_policy
from autograder.grading.reference import reference_namespace
from autograder.grading.replay import ReplayCache, ReplayingWorker, replay_cache
from autograder.records import Exercise, Report, Settings, Submission
from autograder.sandbox.worker import Worker
from autograder.scoring import score, unscored
from autograder.testing.plugin import run_suites


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
        submission = replace(submission, notes=(*submission.notes, *worker.problems))

    return score(
        _with_tasks(exercise, only),
        submission,
        outcomes,
        replace(made_with, isolation=worker.isolation),
        duration_s=round(time.perf_counter() - started, 3),
        every_item=not until_lost,
    )


def _replay_cache(exercise: Exercise, settings: Settings, devices: tuple[str, ...]) -> ReplayCache:
    """Return this process's cache for the tests as they are now; an empty one where every test has to run."""
    if settings.every_test:
        return ReplayCache()
    folders = filter(None, (exercise.folder, exercise.solution))
    stamps = tuple(file.stat().st_mtime_ns for folder in folders for file in sorted(folder.glob("*.py")))
    return replay_cache((exercise.folder, stamps, outcomes_sha256(exercise), settings.seed, devices))


def _with_tasks(exercise: Exercise, only: Collection[str] | None) -> Exercise:
    return exercise if only is None else replace(exercise, tasks=tuple(t for t in exercise.tasks if t.id in only))
