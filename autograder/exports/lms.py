"""Tables that learning platforms import: Canvas's gradebook, Moodle's gradebook and its offline grading worksheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from autograder.exports.grades import Grade
from autograder.records import Exercise, PtqlabError
from autograder.report.text import number

Table = list[list[str]]

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
WORKSHEET = ("Identifier", "Grade", "Last modified (grade)")
_POINTS_ROW = "Points Possible"
_FEEDBACK = "Feedback comments"


def canvas_csv(grades: Sequence[Grade], exercises: Sequence[Exercise], roster: Table | None) -> tuple[str, list[str]]:
    """A table for Canvas's Grades > Import, and the students whom the roster doesn't have.

    `roster` is Canvas's own export, whose students and assignment columns ("Title (id)") are taken over; without one,
    a student's name stands as SIS Login ID. Who has no score gets no row, so that nothing in Canvas is cleared.
    """
    header, people = _canvas_people(grades, roster)
    columns = [_canvas_column(exercise, roster[0] if roster else []) for exercise in exercises]
    possible = [number(exercise.possible) for exercise in exercises]
    rows: Table = [[*header, *columns], [f"    {_POINTS_ROW}", *[""] * (len(header) - 1), *possible]]
    for student, person in people.items():
        points = [_points(grades, student, exercise) for exercise in exercises]
        rows += [[*person, *points]] if any(points) else []
    return _text(rows), _missing(grades, people)


def moodle_csv(
    grades: Sequence[Grade], exercises: Sequence[Exercise], roster: Table | None, column: str = "Username"
) -> tuple[str, list[str]]:
    """A table for Moodle, and the students whom the roster doesn't have.

    Without a roster: a gradebook import (Grades > Import > CSV file), with `column` to be mapped to the user field of
    that name. With one: the offline grading worksheet of one assignment, which Moodle gave out, with grades filled in.
    """
    if roster is not None:
        return _worksheet(grades, exercises, roster)
    students = list(dict.fromkeys(grade.student for grade in grades))
    rows: Table = [[column, *(_title(exercise) for exercise in exercises)]]
    for student in students:
        points = [_points(grades, student, exercise) for exercise in exercises]
        rows += [[student, *points]] if any(points) else []
    return _text(rows), []


def read_table(path: Path) -> Table:
    """A CSV file's rows, whatever its separator; a byte order mark is taken off."""
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ","))
    if not rows:
        raise PtqlabError(f"Expected a table in {path}, but it is empty; export it again.")
    return [row for row in rows if any(cell.strip() for cell in row)]


def _canvas_people(grades: Sequence[Grade], roster: Table | None) -> tuple[list[str], dict[str, list[str]]]:
    """The identifying columns, and those of each student who has a grade."""
    students = dict.fromkeys(grade.student for grade in grades)
    if roster is None:
        return list(CANVAS), {student: [student, "", "", student, ""] for student in students}
    header = roster[0]
    if "Section" not in header or "Student" not in header[0] or "ID" not in header[1]:
        raise PtqlabError(f"Expected Canvas's gradebook export, with the columns {', '.join(CANVAS)}; {header} came.")
    width = header.index("Section") + 1
    rows = [row[:width] for row in roster[1:] if row[1].strip()]  # the rows of points and of posting have no ID
    return header[:width], _people(list(students), rows)


def _canvas_column(exercise: Exercise, header: Sequence[str]) -> str:
    """The title, or the column that Canvas has for it already: "Title (1234)"."""
    title = _title(exercise)
    return next((name for name in header if re.fullmatch(rf"{re.escape(title)} \(\d+\)", name)), title)


def _worksheet(grades: Sequence[Grade], exercises: Sequence[Exercise], roster: Table) -> tuple[str, list[str]]:
    header = roster[0]
    if any(name not in header for name in WORKSHEET):
        raise PtqlabError(f"Expected Moodle's offline grading worksheet, with the columns {', '.join(WORKSHEET)}.")
    if len(exercises) != 1:
        raise PtqlabError("Expected one exercise, since a worksheet is of one assignment; give --exercise.")
    place = header.index("Grade")
    rows = [list(row) for row in roster[1:]]
    people = _people([grade.student for grade in grades], rows)
    for student, row in people.items():
        row[place] = _points(grades, student, exercises[0]) or row[place]
    return _text([header, *rows]), _missing(grades, people)


def _people(students: Sequence[str], rows: Sequence[list[str]]) -> dict[str, list[str]]:
    """Each student's own row, for those who have one. Two students with one row are a PtqlabError."""
    found = {student: row for student in students if (row := _person(student, rows)) is not None}
    owners: dict[int, str] = {}
    for student, row in found.items():
        other = owners.setdefault(id(row), student)
        if other != student:
            raise PtqlabError(
                f"Expected a row of the roster to be one student, but {row[:2]} is {other} and {student}; keep one."
            )
    return found


def _person(student: str, rows: Sequence[list[str]]) -> list[str] | None:
    """The one row that is this student's, by the first of these that finds any.

    A cell is the name, or an address before whose @ the name stands. Or the student is called as the platform calls a
    file ("Ann Lee_123", "leeann_LATE_7") and the letters are the name's; the number, Canvas's ID or Moodle's
    participant,
    tells two of one name apart. Alone it decides nothing: another class's number is another person's here.
    """
    key = student.casefold()
    parts = re.fullmatch(r"(.+?)(?:_late)?_(\d+)", key)
    name, number = parts.groups() if parts else (key, "")
    named = [row for row in rows if _letters(name) and any(_letters(cell) == _letters(name) for cell in row[:2])]
    ways = (
        [row for row in rows if any(cell.strip().casefold() in (key, f"participant {key}") for cell in row)],
        [row for row in rows if any(cell.casefold().partition("@")[::2][0] == key and "@" in cell for cell in row)],
        [
            row
            for row in named
            if number and any(cell.strip().casefold() in (number, f"participant {number}") for cell in row[:2])
        ],
        named,
    )
    hits = next((found for found in ways if found), [])
    if len(hits) > 1:
        raise PtqlabError(f"Expected one row of the roster to be {student!r}, but {len(hits)} are; use unique names.")
    return hits[0] if hits else None


def _letters(text: str) -> str:
    """Letters and digits alone: Canvas names the files of "Lee, Ann" leeann."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _title(exercise: Exercise) -> str:
    return f"{exercise.slug.partition('_')[0]} {exercise.title['en']}"


def _points(grades: Sequence[Grade], student: str, exercise: Exercise) -> str:
    """Points, or an empty cell where there is no score."""
    found = [grade.points for grade in grades if (grade.student, grade.exercise) == (student, exercise.slug)]
    return number(found[0], 2) if found and found[0] is not None else ""


def _missing(grades: Sequence[Grade], people: dict[str, list[str]]) -> list[str]:
    return list(dict.fromkeys(grade.student for grade in grades if grade.student not in people))


def _text(rows: Table) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator="\r\n").writerows(rows)
    return table.getvalue()
