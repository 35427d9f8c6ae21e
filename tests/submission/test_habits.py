"""Ordinary student habits cost nothing: each golden under submissions/habits is graded, and gets every point."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT, habits

from autograder.course.catalog import find_exercises
from autograder.grading.grade import grade
from autograder.records import Settings
from autograder.submission.reader import read_submission

LAB = find_exercises(ROOT)[0]


@pytest.mark.sampled("habits", 16)
@pytest.mark.parametrize("habit", habits.NAMES)
def test_a_habit_is_graded_in_full(habit: str, tmp_path: Path) -> None:
    submission = read_submission(habits.write(habit, tmp_path), LAB, habit)
    report = grade(LAB, submission, Settings(seed=5))
    assert (report.status, report.earned) == ("graded", LAB.possible), [
        (test.test, test.message) for task in report.tasks for test in task.tests if test.status != "passed"
    ]
