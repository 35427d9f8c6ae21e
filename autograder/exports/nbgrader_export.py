"""The table of `nbgrader export`: nbgrader's own columns, in a CSV without formulas and broken rows."""

# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin

from autograder.report.atomic import write_atomically
from autograder.report.spreadsheet import csv_text

_COLUMNS = (
    "assignment duedate timestamp student_id last_name first_name email "
    "raw_score late_submission_penalty score max_score"
).split()


class PtqlabCsv(ExportPlugin):  # type: ignore[misc]
    """Writes nbgrader's columns; nbgrader's own plugin quotes nothing, and a comma in a name moves the grades."""

    def export(self, gradebook: Gradebook) -> None:
        """Write a row for each student and assignment; who handed nothing in has 0, as in nbgrader."""
        target = Path(self.to or "grades.csv")
        self.log.info("Exporting grades to %s", target)
        write_atomically(target, csv_text([_COLUMNS, *self._rows(gradebook)]))

    def _rows(self, gradebook: Gradebook) -> Iterator[list[str]]:
        """The rows, of the assignments and students that were asked for, or of all."""
        for assignment in gradebook.assignments:
            for student in gradebook.students:
                is_meant = not self.assignment or assignment.name in map(str, self.assignment)
                if is_meant and (not self.student or student.id in map(str, self.student)):
                    yield _row(gradebook, assignment, student)


def _row(gradebook: Gradebook, assignment: Any, student: Any) -> list[str]:
    timestamp, earned, penalty = None, 0.0, 0.0
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        pass
    else:
        timestamp, earned = submission.timestamp, submission.score
        penalty = submission.late_submission_penalty or 0.0
    cells = (
        *(assignment.name, assignment.duedate, timestamp, student.id, student.last_name, student.first_name),
        *(student.email, earned, penalty, max(0.0, earned - penalty), assignment.max_score),
    )
    return ["" if cell is None else str(cell) for cell in cells]
