"""Grades in the shape of `otter grade`'s final_grades.csv."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.records import Exercise, Report
from autograder.report.spreadsheet import csv_text
from autograder.report.text import number


def otter_csv(reports: Sequence[Report], exercise: Exercise) -> str:
    """One row a submission: a column for each task, the share of the points as percent_correct (0 to 1), the file.

    A withheld score is a row of empty cells.
    """
    rows = [[*(task.id for task in exercise.tasks), "percent_correct", "file"]]
    for report in (report for report in reports if report.exercise == exercise.slug):
        earned = {task.id: task.earned for task in report.tasks}
        points = ["" if report.earned is None else number(earned.get(task.id, 0.0)) for task in exercise.tasks]
        share = "" if report.earned is None else repr(round(report.earned / (exercise.possible or _bonus(exercise)), 6))
        rows.append([*points, share, f"{report.student}/{exercise.slug}.ipynb"])
    return csv_text(rows)


def _bonus(exercise: Exercise) -> float:
    """What an exercise of nothing but bonus tasks is a share of."""
    return sum(task.points for task in exercise.tasks)
