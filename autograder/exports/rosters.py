"""Rosters: tables of people that Canvas or Moodle gave out, in any language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autograder.exports.headings import CANVAS, GRADE, IDENTIFIER, MODIFIED, STATUS
from autograder.exports.tables import Table
from autograder.records import PtqlabError

_NUMBERED = re.compile(r"\D*\d+")
_ASSIGNMENT = re.compile(r".+ \(\d+\)")  # Canvas's columns: the title and the number
_TIME = re.compile(r"-?|.*\b(19|20)\d\d\b.*|.*\d{4}年.*")


@dataclass(frozen=True)
class Person:
    """Someone in a roster: `names` and `ids` are the cells that may name them, `number` is the platform's id.

    `row` is the roster's own, and `cells` is what names them in the table for the platform.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    number: str
    cells: tuple[str, ...]
    row: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worksheet:
    """Moodle's offline grading worksheet: its rows, the people in their order, and the place of the grades."""

    header: tuple[str, ...]
    people: tuple[Person, ...]
    grade: int


def canvas_people(table: Table) -> tuple[Person, ...]:
    """Return the students in Canvas's gradebook export, their `cells` in the columns of `headings.CANVAS`.

    Raises PtqlabError where it is none. Columns are told by their headings; where somebody has translated these, by
    what stands in them. First and last names apart (an account's setting) become "Last, First".
    """
    header, rows = table[0], table[1:]
    place = _canvas_id(header, rows)
    if place is None:
        raise PtqlabError(f"Expected Canvas's gradebook export, with the columns {', '.join(CANVAS)}; {header} came.")
    sis, login, section = _canvas_places(header, place)
    people = []
    for row in rows:
        if len(row) <= place or not row[place].strip():
            continue  # the rows of points and of posting have no ID
        name = ", ".join(part for part in row[:place] if part)
        first_last = " ".join(reversed(row[:place]))
        ids = tuple(_cell(row, column) for column in (place, sis, login) if column is not None)
        cells = (name, row[place], _cell(row, sis), _cell(row, login), _cell(row, section))
        people.append(Person((name, first_last), ids, row[place], cells, tuple(row)))
    return tuple(people)


def _canvas_id(header: Sequence[str], rows: Table) -> int | None:
    """The column of Canvas's numbers, behind one column of names or two."""
    looks = [*header, "", "", ""]
    is_canvas = any(title in ("SIS Login ID", "Section") or _ASSIGNMENT.fullmatch(title) for title in header)
    for place in (1, 2):
        cells = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
        if is_canvas and (looks[place].strip() == "ID" or (cells and all(cell.isdigit() for cell in cells))):
            return place
    return None


def _canvas_places(header: Sequence[str], place: int) -> tuple[int | None, int | None, int | None]:
    """SIS User ID, SIS Login ID and Section: by heading, else in Canvas's order between the ID and the assignments."""
    end = next((n for n, title in enumerate(header) if n > place and _ASSIGNMENT.fullmatch(title)), len(header))
    between = list(range(place + 1, end))
    by_order = [None, *between] if len(between) < 3 else between
    places = [header.index(title) if title in header else None for title in CANVAS[2:]]
    unnamed = iter(column for column in by_order if column not in places)
    if all(column is None for column in places):
        places = [*by_order[:3], None, None, None][:3]
    elif places[2] is None:
        last = max(column for column in places if column is not None)
        places[2] = next((column for column in unnamed if column is not None and column > last), None)
    return places[0], places[1], places[2]


def worksheet(table: Table) -> Worksheet:
    """Return Moodle's offline grading worksheet, in whatever language the teacher's Moodle speaks.

    Columns are told by the headings that Moodle has in eight languages, else by what stands in them. Raises PtqlabError
    where one that Moodle's import asks for is missing.
    """
    header, rows = tuple(table[0]), [[*row, *[""] * (len(table[0]) - len(row))] for row in table[1:]]
    identifier = _column(header, rows, IDENTIFIER, _are_numbered)
    grade = _column(header, rows, GRADE, lambda cells: False)
    grade = _before_maximum(rows, identifier) if grade is None else grade
    after = range(len(header)) if grade is None else range(grade + 1, len(header))
    modified = _column(header, rows, MODIFIED, _are_times, tuple(reversed(after)))
    if identifier is None or grade is None or modified is None:
        raise PtqlabError(
            "Expected Moodle's offline grading worksheet, with the columns Identifier, Grade and Last modified (grade)"
            f" in Moodle's language; {', '.join(header)} came."
        )
    end = next((n for n, title in enumerate(header[:grade]) if _key(title) in STATUS), _after_addresses(rows, grade))
    people = []
    for row in rows:
        named = [cell for n, cell in enumerate(row[:end]) if n != identifier and cell.strip()]
        digits = re.search(r"\d+\s*$", row[identifier])
        number = digits[0].strip() if digits else ""
        people.append(Person(tuple(named), (row[identifier], *named), number, (), tuple(row)))
    return Worksheet(header, tuple(people), grade)


def _column(
    header: Sequence[str],
    rows: Table,
    headings: frozenset[str],
    fits: Callable[[list[str]], bool],
    among: Sequence[int] | None = None,
) -> int | None:
    """The first column with one of these headings, else the first whose cells fit."""
    places = range(len(header)) if among is None else among
    named = (place for place in places if _key(header[place]) in headings)
    shaped = (place for place in places if fits([row[place].strip() for row in rows]))
    return next(named, next(shaped, None))


def _are_numbered(cells: list[str]) -> bool:
    """One word, perhaps none, with a number behind it that differs from row to row: "Participant 71"."""
    words = {re.sub(r"\d+$", "", cell) for cell in cells}
    return bool(cells) and len(words) == 1 and len({*cells}) == len(cells) and all(map(_NUMBERED.fullmatch, cells))


def _are_times(cells: list[str]) -> bool:
    return bool(cells) and all(map(_TIME.fullmatch, cells)) and any(cells)


def _before_maximum(rows: Table, identifier: int | None) -> int | None:
    """The column in front of the one that says the same positive number, the maximum grade, of everybody."""
    for place in range(2, len(rows[0]) if rows and identifier is not None else 0):
        cells = {row[place].strip() for row in rows}
        if len(cells) == 1 and re.fullmatch(r"[1-9]\d*([.,]\d+)?", cells.pop()):
            return place - 1
    return None


def _after_addresses(rows: Table, grade: int) -> int:
    """The end of the columns that name people, in a language whose word for the status isn't known."""
    addresses = [place for place in range(grade) if rows and all("@" in row[place] for row in rows)]
    return max(addresses, default=min(1, grade - 1)) + 1


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


def _key(title: str) -> str:
    return unicodedata.normalize("NFKC", title).casefold().strip()
