"""One student's file for one exercise, as intake has found it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autograder.grading.people import file_name
from autograder.records import Exercise
from autograder.sandbox import reading
from autograder.submission.record import MOST_NOTES, Record


@dataclass(frozen=True)
class Found:
    """One student's file for one exercise; or `path` is None and `problem` says in a sentence why.

    `withheld`: there are files, and a person must say which one counts. `notes`: what the student is told of the file.
    """

    student: str
    exercise: str
    path: Path | None
    problem: str = ""
    withheld: bool = False
    notes: tuple[str, ...] = ()

    @property
    def folder_name(self) -> str:
        """The student's name, made safe for a folder of reports."""
        return file_name(self.student)

    def read(self, exercise: Exercise, data: bytes | None = None) -> Record:
        """Read the file that was found, or its content; where there is none, the record's problem says why."""
        if self.path is None:
            return Record(name="", problem=self.problem)
        record = reading.read(self.path, exercise, data)
        if record.code is not None:
            record.code.notes = [*self.notes, *record.code.notes][:MOST_NOTES]
        return record
