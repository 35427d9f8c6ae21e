"""The course that a command works on, the folder that holds exercises/: find it, name it, guard it from changes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.cli.messages import note
from autograder.course.catalog import COURSE_VARIABLE, find_exercises, pick_exercise
from autograder.records import Exercise, PtqlabError


@dataclass(frozen=True)
class CourseFolders:
    """The two folders that authors edit."""

    exercises: Path
    solutions: Path


def read_course(course: Path | None, solutions: Path | None) -> tuple[Exercise, ...]:
    """Return the course's exercises, and name the course on stderr."""
    exercises = find_exercises(course, solutions)
    name_course(exercises[0])
    return exercises


def name_course(exercise: Exercise) -> None:
    """Name the course of an exercise on stderr; an exercise that lies outside of any is named itself."""
    folder = exercise.folder
    note(f"course: {_root(exercise)}" if folder.parent.name == "exercises" else f"exercise: {folder}")


def share_course(course: Path | None, exercises: Sequence[Exercise]) -> None:
    """Let every process that runs student code find the datasets of the course that `--course` named."""
    if course is not None:
        os.environ[COURSE_VARIABLE] = str(_root(exercises[0]))


def chosen(exercises: Sequence[Exercise], keys: Sequence[str] | None) -> list[Exercise]:
    """Return the exercises that the keys name, each once and in the course's order; all without a key."""
    slugs = {pick_exercise(exercises, key).slug for key in keys or ()}
    return [exercise for exercise in exercises if not keys or exercise.slug in slugs]


def folders_to_read(course: Path | None, solutions: Path | None) -> CourseFolders:
    """Return the folders of the course, and name the course on stderr."""
    return _folders(read_course(course, solutions), solutions)


def folders_to_write(course: Path | None, solutions: Path | None) -> CourseFolders:
    """Return the folders of the course around the working folder, or of the one that `course` names.

    Raises PtqlabError for any other course: the environment variable or the installed package may name one that the
    user does not mean to change.
    """
    exercises = find_exercises(course, solutions)
    root, here = _root(exercises[0]), Path.cwd()
    if course is None and root not in (here, *here.parents):
        raise PtqlabError(
            f"Expected to write into the course around the working folder, but {here} is not inside {root}, the course "
            f"that was found; go there, or give --course {root}."
        )
    name_course(exercises[0])
    return _folders(exercises, solutions)


def need_solutions_folder(folders: CourseFolders) -> None:
    """Raise PtqlabError when the course has no solutions: without sources, no notebook is ever out of date."""
    if not folders.solutions.is_dir():
        raise _no_solutions(folders.solutions)


def need_solutions(exercises: Sequence[Exercise]) -> None:
    """Raise PtqlabError when no exercise has hidden tests."""
    if all(exercise.solution is None for exercise in exercises):
        raise _no_solutions(_root(exercises[0]) / "solutions")


def _root(exercise: Exercise) -> Path:
    return exercise.folder.parent.parent


def _folders(exercises: Sequence[Exercise], solutions: Path | None) -> CourseFolders:
    return CourseFolders(exercises[0].folder.parent, solutions or _root(exercises[0]) / "solutions")


def _no_solutions(folder: Path) -> PtqlabError:
    return PtqlabError(
        f"Expected the reference answers and hidden tests in {folder}, but they are not there; work in an instructor's "
        "clone, or give --solutions."
    )
