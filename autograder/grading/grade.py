"""One submission, from file to score: read it, run the suites against it in a jail, score the outcomes."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from functools import cache

import torch

from autograder.course.fingerprint import outcomes_sha256, provenance
from autograder.grading.reference import reference_namespace
from autograder.grading.replay import ReplayCache, ReplayingWorker, known
from autograder.records import Exercise, Limits, PtqlabError, Report, Settings, Submission
from autograder.runtime.simulated import device as simulated
from autograder.sandbox.worker import SandboxPolicy, Worker
from autograder.scoring import score, unscored
from autograder.testing.outcomes import HIDDEN
from autograder.testing.plugin import available_devices, run_suites


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
    devices = _devices(settings)
    made_with = provenance(exercise, settings.seed, ", ".join(devices), "not run")
    if submission.problem:
        return unscored(exercise, submission, "unreadable", submission.problem, made_with)
    walls = _walls(exercise, settings, secrets, "cuda" in devices)
    with Worker(submission.source, exercise.limits, walls, exercise.preload) as worker:
        worker.start()
        dialogue = ReplayingWorker(worker, _known(exercise, settings, devices))
        outcomes = run_suites(
            exercise,
            dialogue,
            settings.seed,
            devices,
            hidden=True,
            only=only,
            until_lost=until_lost,
            reference=reference_namespace,
            dialogue=dialogue,
        )
        submission = replace(submission, notes=(*submission.notes, *worker.problems))
    return score(
        _part(exercise, only),
        submission,
        outcomes,
        replace(made_with, isolation=worker.isolation),
        duration_s=round(time.perf_counter() - started, 3),
        every_item=not until_lost,
    )


def _known(exercise: Exercise, settings: Settings, devices: tuple[str, ...]) -> ReplayCache:
    """What tests have said of answers so far, in this process: they depend on nothing else."""
    folders = filter(None, (exercise.folder, exercise.solution))
    stamps = tuple(file.stat().st_mtime_ns for folder in folders for file in sorted(folder.glob("*.py")))
    about = (exercise.folder, stamps, outcomes_sha256(exercise), settings.seed, devices)
    return ReplayCache() if settings.every_test else known(about)


def _part(exercise: Exercise, only: Collection[str] | None) -> Exercise:
    return exercise if only is None else replace(exercise, tasks=tuple(t for t in exercise.tasks if t.id in only))


def _devices(settings: Settings) -> tuple[str, ...]:
    if not simulated.available():
        raise PtqlabError(
            f"Grading needs the simulated device, which this torch does not offer: {simulated.unavailable_reason()}. "
            "Install the torch version that constraints.txt names."
        )
    devices = available_devices(settings.device)
    if settings.device == "cuda" and "cuda" not in devices:
        raise PtqlabError(
            "Expected a CUDA device for --device cuda, but torch sees none here; use --device auto or cpu."
        )
    trouble = _cuda_trouble(settings.isolation) if "cuda" in devices else ""
    if settings.device == "cuda" and trouble:
        raise PtqlabError(
            f"Expected the GPU to work in the jail for --device cuda, but it doesn't ({trouble}); use --device cpu."
        )
    return tuple(device for device in devices if device != "cuda" or not trouble)


@cache
def _cuda_trouble(isolation: str) -> str:
    """Why student code can't use this machine's GPU from within its walls; found out without any student's code."""
    with Worker("", Limits(), _layers(isolation, cuda=True)) as worker:
        worker.start()
        return worker.cuda_trouble


def _walls(exercise: Exercise, settings: Settings, secrets: tuple[str, ...], cuda: bool) -> SandboxPolicy:
    walls = _layers(settings.isolation, cuda)
    own = (str(exercise.solution), str(exercise.solution / HIDDEN)) if exercise.solution else ()
    return replace(walls, secrets=(*own, *secrets)) if walls.required else walls


def _layers(isolation: str, cuda: bool) -> SandboxPolicy:
    return (
        SandboxPolicy(layers=("limits",), required=False, cuda=cuda)
        if isolation == "none"
        else SandboxPolicy(cuda=cuda)
    )
