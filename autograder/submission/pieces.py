"""The pieces of a file's code: cells that parse, files that they write, what is left out."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
ANYTHING = frozenset({"*"})
KEPT = 3_000  # characters: what is found out of a cell of at most this size is kept; none that is handed out is longer
MOST_KEPT = 96  # such cells; those that were handed out come again with every submission, and so stay


@dataclass(frozen=True)
class File:
    """What a `%%writefile` cell, whose magic stands on `line`, writes."""

    name: str
    text: str
    appends: bool
    line: int

    def statement(self) -> str:
        """Return Python that writes the file, in one line."""
        folder, mode = os.path.dirname(self.name), "a" if self.appends else "w"
        opened = f"open({self.name!r}, {mode!r}, encoding='utf-8')"
        made = f"__import__('os').makedirs({folder!r}, exist_ok=True), " if folder else ""
        return f"({made}{opened}.write({self.text!r}))"


@dataclass(frozen=True)
class LeftOut:
    """A piece of code that is not used: its line in the file or the cell, a sentence on why, names that it would bind.

    `python`: the version ("3.12") that would take it. `binds` is ANYTHING where nobody can tell.
    """

    line: int
    why: str
    binds: frozenset[str] = frozenset()
    python: str = ""


@dataclass(frozen=True)
class Cell:
    """A piece of code that parses. `number` counts a notebook's code cells from 1 and is 0 in a .py file.

    `offset`: how many lines of the file stand above it (0 in a notebook). `file`: `source` does nothing but write it.
    `left_out`: the piece is not used, and `source` is empty.
    """

    number: int
    source: str
    offset: int = 0
    file: File | None = None
    left_out: LeftOut | None = None


def place_of(cell: Cell, line: int) -> str:
    """Return where a line of a cell's source stands: "cell 5, line 3", or "line 57" of a .py file."""
    return f"cell {cell.number}, line {line}" if cell.number else f"line {cell.offset + line}"


def kept_of_cells(function: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """What `function` finds out of a cell's source is kept: most cells of a class are those that were handed out."""
    known = lru_cache(MOST_KEPT)(function)

    @wraps(function)
    def found(source: str, /, *more: P.args, **named: P.kwargs) -> T:
        return known(source, *more, **named) if len(source) <= KEPT else function(source, *more, **named)  # type: ignore[arg-type]

    return found


@kept_of_cells
def statements_of(source: str) -> Sequence[ast.stmt]:
    """Parse source that compiles; an invalid escape in it is the student's matter, not the grader's log's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(ast.parse(source).body)
