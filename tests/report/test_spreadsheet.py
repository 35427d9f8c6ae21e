"""CSV files: no spreadsheet of any locale finds a formula in one, and everything that should be read still is."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.report.spreadsheet import csv_text, harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("-1+2", "'-1+2"),
        ("+5 apples", "'+5 apples"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("－cmd", "'－cmd"),
        (" =1", "' =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\u200b=1", "'\u200b=1"),
        ("\t1", "'\t1"),
        ("\r1", "'\r1"),
        ("\n1", "'\n1"),
        ("eve;=1+1", "eve;'=1+1"),  # n02: a cell of its own where lists are separated by semicolons
        ("eve; +cmd|' /C calc'!A0", "eve;' +cmd|' /C calc'!A0"),
        ("eve；＝1", "eve；'＝1"),
        ("a\n=1", "a\n'=1"),
        ("a\t@x", "a\t'@x"),
        ('a";=1', "a\";'=1"),
        ('eve;"=1&"', 'eve;\'"=1&"'),
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "-5",
        "+3.5",
        "-25,00",
        "-1e5",
        "+886912345678",
        "-",
        "-;-5",
        "25",
        "",
        "Doe, Jane",
        "a-b",
        "o'neil",
        "x=1",
        "'=1",
    ],
)
def test_numbers_and_ordinary_text_stay(text: str) -> None:
    assert harmless(text) == text


def test_every_cell_is_quoted_behind_a_byte_order_mark() -> None:
    """F12: Excel on Windows reads UTF-8 only behind the mark."""
    assert csv_text([["王小明", "4"], ['a"b', ""]]).encode() == '\ufeff"王小明","4"\r\n"a""b",""\r\n'.encode()


def test_the_first_cell_can_stand_bare_for_canvas() -> None:
    """ruby/csv issue 103: a quote behind the mark is an error there; see also a comma in the cell."""
    assert csv_text([["Student", "ID"]], bare_first=True) == '\ufeffStudent,"ID"\r\n'


@given(st.lists(st.lists(st.text("=+-@＝a;,\"\t\r\n' 1", max_size=6), min_size=2, max_size=3), min_size=1, max_size=4))
def test_no_locale_finds_a_formula(table: list[list[str]]) -> None:
    """Read with commas the cells are the table's own; split at what any spreadsheet splits at, none is a formula."""
    text = csv_text(table).removeprefix("\ufeff")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[harmless(cell) for cell in row] for row in table]
    for piece in re.split(r'[;\t\r\n]|","', text):
        assert not re.match(r'[" ]*([=@＝]|[+-](?![\d ]*"?$))', piece), piece
