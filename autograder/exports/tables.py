"""CSV files as learning platforms write them and spreadsheets save them again: any separator, any encoding."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

from autograder.records import PtqlabError

Table = list[list[str]]

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls
_SEPARATORS = (",", ";", "\t")
# Encodings of East Asian Windows, each with the first bytes of its common characters
_EAST_ASIAN = {
    "cp950": range(0xA4, 0xC7),
    "cp949": range(0xB0, 0xC9),
    "gbk": range(0xB0, 0xD8),
    "cp932": range(0x82, 0x98),
}
_LIKELY = 2.0  # what cp950 is ahead by, as the course is taught in Taiwan: a short name may be text in all of them
_RARE = math.log(700)  # as unlikely as a rare character is
_MIXED = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])")  # as accents are, read as two bytes


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


def _decoded(data: bytes) -> tuple[str, str]:
    """The text, and the encoding: what a mark says, else UTF-8, else the one of Windows that fits best."""
    encodings = [name for mark, name in _MARKS if data.startswith(mark)]
    for encoding in (*encodings, "utf-8", *_by_likelihood(data), "cp1252", "latin-1"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes everything")


def _by_likelihood(data: bytes) -> list[str]:
    """The East Asian encoding in which the text is likeliest, if it can be such text at all."""
    scores: dict[str, float] = {}
    for encoding, common in _EAST_ASIAN.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        letters = [char for char in text if not char.isascii()]
        if len(_MIXED.findall(text)) * 2 <= len(letters) and all(
            char.isprintable() or char == "\u3000" for char in letters
        ):
            usual = sum(char.encode(encoding)[0] in common for char in letters)
            scores[encoding] = -usual * math.log(len(common)) - (len(letters) - usual) * _RARE
    if "cp950" in scores:
        scores["cp950"] += _LIKELY
    return [max(scores, key=lambda encoding: scores[encoding])] if scores else []


def _split(text: str) -> Table:
    """The rows, at the separator that gives most rows as many cells as the header; Excel's "sep=;" says which."""
    stated = re.match(r"\s*sep=(.)\r?\n", text, re.IGNORECASE)
    body = text[stated.end() :] if stated else text
    tables = []
    for separator in (stated[1],) if stated else _SEPARATORS:
        rows = [
            row
            for row in csv.reader(io.StringIO(body, newline=""), delimiter=separator)
            if any(cell.strip(" \t,;") for cell in row)
        ]
        width = len(rows[0]) if rows else 0
        tables.append((width > 1, sum(len(row) == width for row in rows), width, rows))
    return max(tables, key=lambda table: table[:3])[3]
