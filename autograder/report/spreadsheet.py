"""CSV files that spreadsheets show right and never run: the one way in which the kit writes a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

BYTE_ORDER_MARK = "\ufeff"  # Excel reads a CSV as UTF-8 only behind it
_SIGNS = "=+\\-@＝＋－＠"  # the full-width forms start a formula in East Asian spreadsheets
_BLANK = r'[^\S\t\r\n]|[\ufeff\u200b-\u200f\u2060"]'  # a quote, too: it is none where the quotes before it are broken
# Where a spreadsheet starts a cell: at the beginning, and behind what another locale or a broken quote would split at
_FORMULA = re.compile(rf"(?:^|(?<=[;；\t\r\n]))(?:{_BLANK})*(?P<formula>[{_SIGNS}])")
_NUMBER = re.compile(r"[+\-－]?\s*(\d[\d.,]*%?)?(e[+-]?\d+)?(?=$|[;；\t\r\n])", re.IGNORECASE)  # or a lone sign
_BREAK = re.compile(rf"(?:{_BLANK})*[\t\r\n]")


def harmless(text: str) -> str:
    """Return a cell that no spreadsheet runs as a formula: an apostrophe stands in front of what would start one.

    That is = + - @, their full-width forms, and a tab or a line's end at the start; also behind a semicolon, a tab or a
    line's end, where a spreadsheet of another locale starts a cell. Numbers stay numbers, and a lone sign stays.
    """
    shown = _FORMULA.sub(lambda hit: hit[0] if _NUMBER.match(text, hit.start("formula")) else f"'{hit[0]}", text)
    return f"'{shown}" if _BREAK.match(shown) else shown


def csv_text(rows: Iterable[Sequence[str]], *, bare_first: bool = False) -> str:
    """Return a table as RFC 4180 text behind a byte order mark, with every cell quoted and `harmless`.

    `bare_first` leaves the quotes of the very first cell out: Ruby's CSV, with which Canvas reads, takes a quote behind
    a byte order mark for an error (ruby/csv issue 103).
    """
    table = io.StringIO()
    csv.writer(table, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(
        [harmless(cell) for cell in row] for row in rows
    )
    text = table.getvalue()
    if bare_first:
        first, _, others = text.removeprefix('"').partition('"')
        text = first + others
    return BYTE_ORDER_MARK + text
