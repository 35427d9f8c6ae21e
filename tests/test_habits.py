"""Ordinary student habits cost nothing: each golden under submissions/habits is graded, and gets every point."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from autograder.catalog import find_exercises
from autograder.grade import grade
from autograder.model import Settings
from autograder.notebook import read_submission

HERE = Path(__file__).resolve().parent


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HABITS = load(HERE / "submissions" / "habits.py")
LAB = find_exercises(HERE.parent)[0]


@pytest.mark.parametrize("habit", HABITS.NAMES)
def test_a_habit_is_graded_in_full(habit: str, tmp_path: Path) -> None:
    submission = read_submission(HABITS.write(habit, tmp_path), LAB, habit)
    report = grade(LAB, submission, Settings(seed=5))
    assert (report.status, report.earned) == ("graded", LAB.possible), [
        (test.test, test.message) for task in report.tasks for test in task.tests if test.status != "passed"
    ]
