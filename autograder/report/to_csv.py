"""scores.csv: one row per student and exercise, for spreadsheets and for gradebooks."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.records import Exercise, Report
from autograder.report.spreadsheet import csv_text, harmless
from autograder.report.text import number, visible_line


def scores_csv(reports: Sequence[Report], exercises: Sequence[Exercise]) -> str:
    """Return the table: student, exercise, a column per task, total, possible, status.

    Rows are sorted by exercise (in the order of `exercises`), then by student; task columns follow the exercises that
    were handed in. A withheld score is an empty cell, in the total and in every task.
    """
    columns = _task_columns(reports, exercises)
    rank = {exercise.slug: place for place, exercise in enumerate(exercises)}
    ordered = sorted(reports, key=lambda r: (rank.get(r.exercise, len(rank)), r.exercise, r.student))
    header = ["student", "exercise", *columns, "total", "possible", "status"]
    return csv_text([header, *(_row(report, columns) for report in ordered)])


def _task_columns(reports: Sequence[Report], exercises: Sequence[Exercise]) -> list[str]:
    handed_in = {report.exercise for report in reports}
    known = [task.id for exercise in exercises if exercise.slug in handed_in for task in exercise.tasks]
    graded = [task.id for report in reports for task in report.tasks]  # also those since taken out of an exercise
    return list(dict.fromkeys([*known, *graded]))


def _row(report: Report, columns: Sequence[str]) -> list[str]:
    withheld = report.earned is None
    earned = {task.id: number(task.earned, 4) for task in report.tasks if not withheld and task.status != "withheld"}
    total = "" if report.earned is None else number(report.earned, 4)
    return [
        visible_line(harmless(report.student)),
        visible_line(harmless(report.exercise)),
        *(earned.get(task, "") for task in columns),
        total,
        number(report.possible, 4),
        report.status,
    ]
