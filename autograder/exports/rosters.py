"""Rosters: tables of people that Canvas or Moodle gave out, perhaps saved again by a spreadsheet, in any encoding."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.exports.headings import CANVAS, GRADE, IDENTIFIER, MODIFIED, POINTS_POSSIBLE, STATUS
from autograder.records import PtqlabError

Table = list[list[str]]

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls
_SEPARATORS = (",", ";", "\t")
# Encodings of East Asian Windows, the likeliest first, each with the first bytes of its common characters
_EAST_ASIAN = {
    "cp950": range(0xA4, 0xC7),
    "gbk": range(0xB0, 0xD8),
    "cp932": range(0x82, 0x98),
    "cp949": range(0xB0, 0xC9),
}
_MIXED = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])")  # as accents are, read as two bytes
_NUMBERED = re.compile(r"\D*\d+")
_ASSIGNMENT = re.compile(r".+ \(\d+\)")  # Canvas's columns: the title and the number
_TIME = re.compile(r"-?|.*\b(19|20)\d\d\b.*|.*\d{4}年.*")


@dataclass(frozen=True)
class Person:
    """Someone in a roster: `names` and `ids` are the cells that may name them, `number` is the platform's id.

    `cells` is what the table for the platform says of them.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    number: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Worksheet:
    """Moodle's offline grading worksheet: its rows, the people in their order, and the place of the grades."""

    header: tuple[str, ...]
    people: tuple[Person, ...]
    grade: int


def read_table(path: Path) -> tuple[Table, str]:
    """Return a file's rows without empty ones, and a note on its encoding where it had to be guessed.

    Raises PtqlabError for a file that is no table of text.
    """
    data = path.read_bytes()
    if data.startswith(_WORKBOOKS):
        raise PtqlabError(f"Expected a CSV file, but {path} is a workbook; save it as CSV UTF-8.")
    text, encoding = _decoded(data)
    note = f"{path.name} is not in UTF-8; it was read as {encoding}. If names look wrong, save it as CSV UTF-8."
    try:
        table = _split(text)
    except csv.Error as error:
        raise PtqlabError(f"Expected a CSV file, but {path} is none ({error}); export it again.") from None
    if not table:
        raise PtqlabError(f"Expected a table in {path}, but it is empty; export it again.")
    return table, note if encoding not in ("utf-8", "utf-8-sig", "utf-16") else ""


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
        if len(row) <= place or not row[place].strip() or POINTS_POSSIBLE in row[0]:
            continue  # the rows of points and of posting have no ID
        name = ", ".join(part for part in row[:place] if part)
        first_last = " ".join(reversed(row[:place]))
        ids = tuple(_cell(row, column) for column in (place, sis, login) if column is not None)
        cells = (name, row[place], _cell(row, sis), _cell(row, login), _cell(row, section))
        people.append(Person((name, first_last), ids, row[place], cells))
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
    found = iter(column for column in by_order if column not in places)
    if all(column is None for column in places):
        places = [*by_order[:3], None, None, None][:3]
    elif places[2] is None:
        known = max(column for column in places if column is not None)
        places[2] = next((column for column in found if column is not None and column > known), None)
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
    end = next((n for n, title in enumerate(header[:grade]) if _key(title) in STATUS), grade)
    people = []
    for row in rows:
        named = [cell for n, cell in enumerate(row[:end]) if n != identifier and cell.strip()]
        digits = re.search(r"\d+\s*$", row[identifier])
        number = digits[0].strip() if digits else ""
        people.append(Person(tuple(named), (row[identifier], *named), number, tuple(row)))
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


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


def _key(title: str) -> str:
    return unicodedata.normalize("NFKC", title).casefold().strip()


# --- text ---------------------------------------------------------------------------------------------


def _decoded(data: bytes) -> tuple[str, str]:
    """The text, and the encoding: what a mark says, else UTF-8, else the one of Windows that fits best."""
    encodings = [name for mark, name in _MARKS if data.startswith(mark)]
    for encoding in (*encodings, "utf-8", *_by_likelihood(data), "cp1252", "latin-1"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes everything")


def _by_likelihood(data: bytes) -> Iterator[str]:
    """The East Asian encoding in which most characters are common ones, if the text can be one of these at all."""
    shares: dict[str, float] = {}
    for encoding, common in _EAST_ASIAN.items():
        try:
            letters = [char for char in data.decode(encoding) if not char.isascii()]
        except UnicodeDecodeError:
            continue
        mixed = len(_MIXED.findall(data.decode(encoding)))
        wide = [char.encode(encoding) for char in letters]
        if wide and mixed * 2 <= len(wide) and all(char.isprintable() or char == "\u3000" for char in letters):
            shares[encoding] = sum(len(char) == 2 and char[0] in common for char in wide) / len(wide)
    if shares and max(shares.values()) >= 0.5:
        yield max(shares, key=lambda encoding: shares[encoding])


def _split(text: str) -> Table:
    """The rows, at the separator that gives most rows as many cells as the header; Excel's "sep=;" says which."""
    stated = re.match(r"\s*sep=(.)\r?\n", text, re.IGNORECASE)
    body = text[stated.end() :] if stated else text
    tables = []
    for separator in (stated[1],) if stated else _SEPARATORS:
        rows = [
            row for row in csv.reader(io.StringIO(body, newline=""), delimiter=separator) if any(map(str.strip, row))
        ]
        width = len(rows[0]) if rows else 0
        tables.append((width > 1, sum(len(row) == width for row in rows) * width, rows))
    return max(tables, key=lambda table: table[:2])[2]
