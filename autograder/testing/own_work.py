"""A student's own notebook or module, loaded into this process: for plain `pytest` and for `ptqlab check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.course.catalog import load_exercise
from autograder.records import Exercise, PtqlabError, Submission
from autograder.submission.loading import load_module
from autograder.submission.reader import read_submission
from autograder.testing.proxy import InProcess


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
    loaded = load_module(submission.source, "student", submission.helpers, submission.late_annotations)
    return vars(loaded.module), submission, (*submission.notes, *loaded.problems)
