"""Tables that learning platforms import: Canvas's gradebook, Moodle's gradebook and its offline grading worksheet.

Cells that a spreadsheet would run get an apostrophe in front (report/spreadsheet.py), and the platforms still find
everybody. Canvas looks a row up by ID, then by SIS User ID and SIS Login ID, and by name only where there is none of
them (process_student in lib/gradebook_importer.rb); Moodle looks a worksheet's row up by the number in Identifier alone
(mod/assign/feedback/offline/importgradeslib.php). Both are digits, and stay as they came. Moodle takes the byte order
mark off (lib/csvlib.class.php), Canvas reads it as part of the first heading, in which it looks for "Student".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from autograder.exports import rosters
from autograder.exports.grades import Grade
from autograder.exports.headings import CANVAS, POINTS_POSSIBLE
from autograder.exports.matching import Matched, match
from autograder.exports.tables import Table
from autograder.records import Exercise, PtqlabError
from autograder.report.spreadsheet import csv_text
from autograder.report.text import number

CANVAS_TEST_STUDENT = "Student, Test"  # in every course's gradebook, and nobody


@dataclass(frozen=True)
class Export:
    """A table's text, who is left out of it and why, and who in the roster has no grade."""

    text: str
    left_out: dict[str, str] = field(default_factory=dict)
    without_grade: tuple[str, ...] = ()


def canvas_csv(grades: Sequence[Grade], exercises: Sequence[Exercise], roster: Table | None) -> Export:
    """Return a table for Canvas's Grades > Import.

    `roster` is Canvas's own export, whose students and assignment columns ("Title (id)") are taken over; without one,
    a student's name stands as SIS Login ID. An empty cell clears a grade in Canvas: who has no score gets no row, and
    of several labs the one without a score keeps what the roster says.
    """
    header = roster[0] if roster else []
    columns = [_canvas_column(exercise, header) for exercise in exercises]
    possible = [number(exercise.possible) for exercise in exercises]
    table = [[*CANVAS, *columns], [f"    {POINTS_POSSIBLE}", *[""] * (len(CANVAS) - 1), *possible]]
    people, matched = _canvas_people(list(dict.fromkeys(grade.student for grade in grades)), roster)
    for student, person in matched.people.items():
        given = dict(zip(header, person.row, strict=False))
        points = [_points(grades, student, exercise) for exercise in exercises]
        kept = [new or given.get(column, "") for new, column in zip(points, columns, strict=True)]
        table += [[*person.cells, *kept]] if any(points) else []
    return Export(csv_text(table, bare_first=True), matched.left_out, _without_grade(people, matched))


def _canvas_people(students: Sequence[str], roster: Table | None) -> tuple[tuple[rosters.Person, ...], Matched]:
    """The people of a roster and who is who; without a roster every student, as a login."""
    if roster is None:
        cells = {student: (student, "", "", student, "") for student in students}
        return (), Matched({student: rosters.Person((), (), "", cells[student]) for student in students}, {})
    people = rosters.canvas_people(roster)
    return people, match(students, people)


def moodle_csv(
    grades: Sequence[Grade], exercises: Sequence[Exercise], roster: Table | None, column: str = "Username"
) -> Export:
    """Return a table for Moodle.

    Without a roster: a gradebook import (Grades > Import > CSV file), with `column` to be mapped to the user field of
    that name. With one: the offline grading worksheet of one assignment, which Moodle gave out, with grades filled in.
    """
    if roster is not None:
        return _worksheet(grades, exercises, roster)
    table = [[column, *(_title(exercise) for exercise in exercises)]]
    for student in dict.fromkeys(grade.student for grade in grades):
        points = [_points(grades, student, exercise) for exercise in exercises]
        table += [[student, *points]] if any(points) else []
    return Export(csv_text(table))


def _worksheet(grades: Sequence[Grade], exercises: Sequence[Exercise], roster: Table) -> Export:
    """Moodle asks for its own headings and for commas, whatever a spreadsheet has saved."""
    if len(exercises) != 1:
        raise PtqlabError("Expected one exercise, since a worksheet is of one assignment; give --exercise.")
    sheet = rosters.worksheet(roster)
    matched = match([grade.student for grade in grades], sheet.people)
    points = {id(person): _points(grades, student, exercises[0]) for student, person in matched.people.items()}
    table: Table = [list(sheet.header)]
    for person in sheet.people:
        row = list(person.row)
        row[sheet.grade] = points.get(id(person)) or row[sheet.grade]
        table.append(row)
    return Export(csv_text(table), matched.left_out, _without_grade(sheet.people, matched))


def _canvas_column(exercise: Exercise, header: Sequence[str]) -> str:
    """The title, or the column that Canvas has for it already: "Title (1234)"."""
    title = _title(exercise)
    return next((name for name in header if re.fullmatch(rf"{re.escape(title)} \(\d+\)", name)), title)


def _without_grade(people: Sequence[rosters.Person], matched: Matched) -> tuple[str, ...]:
    graded = {id(person) for person in matched.people.values()}
    names = (next(iter((*person.names, *person.ids))) for person in people if id(person) not in graded)
    return tuple(name for name in names if name != CANVAS_TEST_STUDENT)


def _title(exercise: Exercise) -> str:
    return f"{exercise.slug.partition('_')[0]} {exercise.title['en']}"


def _points(grades: Sequence[Grade], student: str, exercise: Exercise) -> str:
    """Points, or an empty cell where there is no score."""
    given = [grade.points for grade in grades if (grade.student, grade.exercise) == (student, exercise.slug)]
    return number(given[0], 2) if given and given[0] is not None else ""
