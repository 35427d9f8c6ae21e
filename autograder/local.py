"""A student's own check: the public tests, in this process, on their notebook, module or live namespace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder import refusals, simulated
from autograder.catalog import load_exercise
from autograder.loading import load_module
from autograder.model import Exercise, PtqlabError, Submission
from autograder.notebook import read_submission
from autograder.report.table import CheckResult
from autograder.scoring import score_task
from autograder.student import InProcess
from autograder.suite import available_devices, run_suites

PRACTICE_SEED = 0  # a student's own inputs; an assignment has a seed of its own


def own_file(folder: Path, slug: str) -> Path:
    """The file a student works in: of those that are there, the one saved last."""
    names = (f"{slug}.ipynb", f"{slug}.zh-TW.ipynb", f"{slug}.py")
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise PtqlabError(
            f"Expected {' or '.join(names)} in {folder}; none of them is there. Run this in the lab's folder."
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def open_folder(folder: Path) -> InProcess:
    """The endpoint for the student's own file in an exercise's folder."""
    exercise = load_exercise(folder)
    return InProcess(load_file(own_file(folder, exercise.slug), exercise)[0])


def load_file(path: Path, exercise: Exercise) -> tuple[dict[str, Any], Submission, tuple[str, ...]]:
    """The namespace of a student's notebook or module, as the grader would load it, and what went wrong in it."""
    submission = read_submission(path, exercise, "you")
    if submission.problem:
        raise PtqlabError(submission.problem)
    loaded = load_module(submission.source, "student")
    return vars(loaded.module), submission, (*submission.notes, *loaded.problems)


def check_namespace(
    exercise: Exercise,
    namespace: Mapping[str, Any],
    task: str | None = None,
    notes: tuple[str, ...] = (),
    language: str = "en",
) -> CheckResult:
    """Run the public tests of one task or of all on live objects; the points are the student's own and don't count."""
    tasks = tuple(t for t in exercise.tasks if task in (None, t.id))
    if not tasks:
        known = ", ".join(t.id for t in exercise.tasks)
        raise PtqlabError(f"Expected one of the tasks {known}; there is no task {task!r} in {exercise.slug}.")
    devices = available_devices("cpu")
    if "simulated" not in devices:
        notes = (*notes, f"The simulated device is not run here: {simulated.unavailable_reason()}")
    with refusals.install():
        outcomes = run_suites(exercise, InProcess(namespace), PRACTICE_SEED, devices, hidden=False,
                              only={task} if task else None)  # fmt: skip
    return CheckResult(tuple(score_task(t, outcomes) for t in tasks), language, notes)
