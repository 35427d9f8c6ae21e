"""Bytes -> the cells of a notebook: kind, id, text and nbgrader's id. Outputs are skipped and never built."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from autograder.submission.record import LONGEST_SENTENCE

NO_TEXT = "# this cell held no text\n"
AGAIN = "save it again and hand it in again."
_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # those of str.splitlines, at which nbformat splits a cell's text
_MERGE_MARKS = [re.compile(mark, re.M) for mark in ("^<{7} ", "^={7}$", "^>{7} ")]


class UnreadableError(Exception):
    """Why a file is no submission, as one sentence for the student."""


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook as it lies in the file. `grade_id`: its id in nbgrader's gradebook."""

    kind: str
    id: str
    text: str
    grade_id: str


@dataclass(frozen=True)
class Book:
    """A notebook's cells, and what the notebook says of the kernel that made it."""

    cells: tuple[Cell, ...]
    language: str
    python: str
    nbformat: int

    @property
    def code(self) -> list[str]:
        """The text of each code cell."""
        return [cell.text for cell in self.cells if cell.kind == "code"]


class _Cell(Struct):
    cell_type: Any = None
    id: Any = None
    source: Any = None
    input: Any = None  # nbformat 3
    metadata: Any = None


class _Sheet(Struct):
    cells: list[_Cell] = []


class _Book(Struct):
    cells: list[_Cell] | None = None
    worksheets: list[_Sheet] | None = None
    metadata: Any = None
    nbformat: Any = None


_decode = msgspec.json.Decoder(_Book).decode


def read_book(name: str, data: bytes | memoryview) -> Book:
    """Read a notebook of nbformat 4 (`cells`, `source`) or 3 (`worksheets`, `input`); raises UnreadableError.

    msgspec reads most of them and skips what is not needed. What only a laxer reader takes (NaN, lone surrogates,
    control characters, a byte order mark, cells that are no objects) is read by `json`.
    """
    try:
        book = _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        book = _read_laxly(name, data)
    cells = book.cells
    if cells is None and book.worksheets is not None:
        cells = [cell for sheet in book.worksheets for cell in sheet.cells]
    if cells is None:
        raise UnreadableError(f"{name} is JSON, but no notebook: it has no list of cells; {AGAIN}")
    info, spec = _part(book.metadata, "language_info"), _part(book.metadata, "kernelspec")
    language = plain(_part(info, "name")) or plain(_part(spec, "language"))
    nbformat = book.nbformat if type(book.nbformat) is int and 0 <= book.nbformat < 100 else 0
    return Book(tuple(map(_cell, cells)), language, plain(_part(info, "version"), 20), nbformat)


def plain(text: object, longest: int = 200) -> str:
    """A text's start, with "?" for what UTF-8 can't hold; "" for anything that is no text."""
    return text[:longest].encode("utf-8", "replace").decode("utf-8") if isinstance(text, str) else ""


def short(sentence: str) -> str:
    """Return a sentence at a length that a record holds."""
    return sentence if len(sentence) <= LONGEST_SENTENCE else f"{sentence[: LONGEST_SENTENCE - 3]} …."


def _part(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _cell(cell: _Cell) -> Cell:
    grade_id = plain(_part(_part(cell.metadata, "nbgrader"), "grade_id"))
    return Cell(plain(cell.cell_type, 20), plain(cell.id), _text(cell), grade_id)


def _text(cell: _Cell) -> str:
    """A cell's text: a string, or a list of lines with their ends.

    Some exporters leave the ends off: a list in which no line but the last has one is joined by line feeds.
    """
    source = cell.input if cell.source is None else cell.source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        has_ends = any(line.endswith(tuple(_LINE_ENDS)) for line in source[:-1])
        source = ("" if has_ends else "\n").join(source)
    return plain(source, len(source)) if isinstance(source, str) else NO_TEXT


def _read_laxly(name: str, data: bytes | memoryview) -> _Book:
    try:
        text = bytes(data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8 and hand it in again."
        ) from None
    try:
        book = json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        if all(mark.search(text) for mark in _MERGE_MARKS):
            came = "it holds the marks of a merge conflict (<<<<<<<, =======, >>>>>>>)"
            raise UnreadableError(f"{name} is no notebook: {came}; settle it in Git and hand it in again.") from None
        came = f"line {error.lineno} is not valid JSON ({error.msg})"
        raise UnreadableError(f"{name} is no notebook: {came}; {AGAIN}") from None
    except (ValueError, RecursionError):
        raise UnreadableError(f"{name} is no notebook: its JSON is too deep or a number too long; {AGAIN}") from None
    sheets = _part(book, "worksheets")
    return _Book(
        cells=_objects(_part(book, "cells")),
        worksheets=[_Sheet(_objects(_part(s, "cells")) or []) for s in sheets] if isinstance(sheets, list) else None,
        metadata=_part(book, "metadata"),
        nbformat=_part(book, "nbformat"),
    )


def _objects(cells: object) -> list[_Cell] | None:
    """The cells of a list that are objects; None for anything that is no list."""
    if not isinstance(cells, list):
        return None
    fields = _Cell.__struct_fields__
    return [_Cell(*(cell.get(field) for field in fields)) for cell in cells if isinstance(cell, dict)]
