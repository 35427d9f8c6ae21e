"""Ordinary student habits cost nothing: each golden under submissions/habits is graded, and gets every point."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from support import ROOT

from autograder.course.catalog import find_exercises
from autograder.grading.grade import grade
from autograder.records import Settings
from autograder.submission.notebook import read_submission


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HABITS = load(ROOT / "tests" / "support" / "habits.py")
LAB = find_exercises(ROOT)[0]


@pytest.mark.parametrize("habit", HABITS.NAMES)
def test_a_habit_is_graded_in_full(habit: str, tmp_path: Path) -> None:
    submission = read_submission(HABITS.write(habit, tmp_path), LAB, habit)
    report = grade(LAB, submission, Settings(seed=5))
    assert (report.status, report.earned) == ("graded", LAB.possible), [
        (test.test, test.message) for task in report.tasks for test in task.tests if test.status != "passed"
    ]
