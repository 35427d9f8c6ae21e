"""One submission, from its code to its score: load it in a jailed worker, run the tests, score their outcomes."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import torch

from autograder.course.fingerprint import kit_version, tests_sha256
from autograder.grading.environment import grading_devices, sandbox_policy
from autograder.grading.reference import reference_namespace
from autograder.grading.replay import ReplayCache, ReplayingWorker, replay_cache
from autograder.records import Exercise, Report, Settings, Submission
from autograder.sandbox.worker import Worker
from autograder.scoring import score, unscored
from autograder.testing.plugin import run_suites


def grade(
    exercise: Exercise,
    submission: Submission,
    settings: Settings,
    secrets: tuple[str, ...] = (),
    only: Collection[str] | None = None,
    until_lost: bool = False,
) -> Report:
    """Grade one submission. `secrets` are further paths that its code must not be able to read.

    `only` names the tasks to grade, where not all are: the report then knows of no others. With `until_lost` a task
    is given up at the first test that does not pass: the report then tells which tasks are solved, and no score.

    Raises IsolationError below the isolation floor, and PtqlabError for settings this machine can't satisfy.
    """
    started = time.perf_counter()
    torch.set_num_threads(1)  # the inputs are small, and the other cores grade other students
    devices = grading_devices(settings)
    if submission.problem:
        facts = _provenance(exercise, devices, "not run", 0.0, submission.notes)
        return unscored(exercise, submission, "unreadable", submission.problem, settings, **facts)

    policy = sandbox_policy(exercise, settings, secrets, devices)
    with Worker(submission.source, exercise.limits, policy, exercise.preload) as worker:
        worker.start()
        student = ReplayingWorker(worker, _replay_cache(exercise, settings, devices))
        outcomes = run_suites(
            exercise,
            student,
            settings.seed,
            devices,
            hidden=True,
            only=only,
            until_lost=until_lost,
            reference=reference_namespace,
            replay=student,
        )
        notes = (*submission.notes, *worker.problems)

    facts = _provenance(exercise, devices, worker.isolation, time.perf_counter() - started, notes)
    return score(_with_tasks(exercise, only), submission, outcomes, settings, **facts)


def _provenance(
    exercise: Exercise, devices: tuple[str, ...], isolation: str, duration_s: float, notes: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "kit_version": kit_version(),
        "tests_sha256": tests_sha256(exercise),
        "device": ", ".join(devices),
        "isolation": isolation,
        "duration_s": round(duration_s, 3),
        "notes": notes,
    }


def _replay_cache(exercise: Exercise, settings: Settings, devices: tuple[str, ...]) -> ReplayCache:
    """Return this process's cache for the tests as they are now; an empty one where every test has to run."""
    if settings.every_test:
        return ReplayCache()
    folders = filter(None, (exercise.folder, exercise.solution))
    stamps = tuple(file.stat().st_mtime_ns for folder in folders for file in sorted(folder.glob("*.py")))
    return replay_cache((exercise.folder, stamps, tests_sha256(exercise), settings.seed, devices, exercise.limits))


def _with_tasks(exercise: Exercise, only: Collection[str] | None) -> Exercise:
    return exercise if only is None else replace(exercise, tasks=tuple(t for t in exercise.tasks if t.id in only))
