"""The dependency slice: of a notebook's statements, those that the graded names need, in their order.

Flow-sensitive for what runs at the top level (the binding that a statement sees is the one above it), not for
what a function reads when it is called: there every binding of the name is kept, and the last one wins.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from autograder.submission.dependencies import Effects
from autograder.submission.linking import Statement, helpers_of, linked
from autograder.submission.mutations import root_of
from autograder.submission.obstacles import obstacles_among, told
from autograder.submission.pieces import Cell, place_of
from autograder.submission.statement_text import kept_lines

_MARKER = "# ptqlab: cell "
_LINE_MARKER = "# ptqlab: line "


@dataclass(frozen=True)
class Slice:
    """A module's source, and what was left out of it: (place, first line) of each statement.

    `helpers`: files that it imports, name -> source. `needs_python`: graded name -> the version that something it
    depends on is written for, and its place. `absent`: what a failing import would have bound, and the graded names
    that depend on it -> the package that isn't here, and where it is imported. `lost`: graded name -> sentences on the
    pieces it depends on that are left out. `bound_in`: graded name -> the cells that bind it, in order.
    """

    source: str
    dropped: tuple[tuple[str, str], ...] = ()
    helpers: Mapping[str, str] = field(default_factory=dict)
    needs_python: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    absent: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bound_in: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def slice_cells(
    cells: Sequence[Cell], wanted: Iterable[str], claimed: str = "", installed: Collection[str] | None = None
) -> Slice:
    """Return the source of what `wanted` names depend on, directly or not, and what was left out.

    Every line keeps its number within its cell: `locate` finds the place again. Each cell must parse. `claimed`: the
    Python that the notebook was made with; `installed`: the modules that can be imported, None for any.
    """
    graded = tuple(dict.fromkeys(wanted))
    statements = linked(cells, graded)
    graph = _Graph(statements, frozenset(graded))
    kept = graph.closure(graded)
    obstacles = obstacles_among(statements, kept, claimed, installed)
    met = {name: graph.closure([name]) & obstacles.keys() for name in graded} if obstacles else {}
    return Slice(
        _source(cells, statements, kept),
        tuple(_dropped(statements, kept)),
        helpers=helpers_of(statement for index, statement in enumerate(statements) if index in kept),
        bound_in=_bound_in(statements, graded),
        **told(obstacles, met),
    )


def _bound_in(statements: Sequence[Statement], graded: Iterable[str]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for cell, node, names in statements:
        for name in names.binds.intersection(graded) if node else ():
            found[name] = (*found.get(name, ()), cell.number)
    return found


def _source(cells: Sequence[Cell], statements: Sequence[Statement], kept: set[int]) -> str:
    """The module: each cell that something is kept of, below its marker."""
    late = _late_futures(statements, kept)
    parts = _future_line(statements[index].node for index in sorted(late))
    of_cells: dict[int, list[tuple[bool, ast.stmt]]] = {}
    for index, statement in enumerate(statements):
        if statement.node:
            of_cells.setdefault(id(statement.cell), []).append((index in kept - late, statement.node))
    for cell in cells:
        own = of_cells.get(id(cell), [])
        if any(keep for keep, _ in own):
            _append(parts, cell, kept_lines(cell.source, own))
    return "\n".join(parts) + "\n"


def _dropped(statements: Sequence[Statement], kept: set[int]) -> Iterator[tuple[str, str]]:
    """Where each statement stood that is not kept, in the words of `locate`, and the first line of it."""
    for index, (cell, node, _) in enumerate(statements):
        if node and index not in kept and not cell.file and not _is_idle(node):
            end = node.end_col_offset if node.end_lineno == node.lineno else None
            line = cell.source.split("\n")[node.lineno - 1]
            yield place_of(cell, node.lineno), line.encode()[node.col_offset : end].decode()


def locate(source: str, line: int) -> str:
    """Return where line `line` of a sliced module stood: "cell 5, line 3", or "line 57" of a .py file."""
    lines = source.split("\n")
    for number in range(min(line, len(lines)), 0, -1):
        if lines[number - 1].startswith(_MARKER) and number < line:
            return f"cell {lines[number - 1].removeprefix(_MARKER)}, line {line - number}"
        if (above := lines[number - 1].removeprefix(_LINE_MARKER)).isdecimal() and number < line:
            return f"line {int(above) + line - number}"
    return f"line {line}"


class _Graph:
    """Which statements depend on which."""

    def __init__(self, statements: Sequence[Statement], graded: frozenset[str]) -> None:
        self._names = [statement.names for statement in statements]
        self._effects = effects = Effects(self._names, graded)
        self._always = {
            index
            for index, statement in enumerate(statements)
            if _binds_unseen(statement.node) or effects.binds_anything(index) or effects.sets_interpreter(index)
        }

    def closure(self, wanted: Iterable[str]) -> set[int]:
        """The indices of the statements to keep: a fixed point of "what a kept statement needs is kept"."""
        every, effects, end = self._names, self._effects, len(self._names)
        kept = set(self._always)
        asked: set[tuple[str, int]] = set()  # a name, and where it is read (`end` when a function reads it)
        told: set[tuple[str, int, bool]] = set()
        todo = [(name, end) for name in wanted]
        new = sorted(kept)
        knows_all = False
        while todo or new:
            for index in new:
                todo += [(name, index) for name in every[index].needs]
                todo += [(name, end) for name in every[index].later]
                if effects.reads_anything(index) and not knows_all:
                    knows_all = True
                    todo += [(name, end) for name in effects.definitions()]
            new = []
            question = todo.pop() if todo else None
            if question and question not in asked:
                asked.add(question)
                new = [index for index in effects.providers(*question, told) if index not in kept]
                kept.update(new)
        return kept


def _binds_unseen(node: ast.stmt | None) -> bool:
    """`from x import *` binds names that are not written down, `from __future__` none at all but the grammar."""
    return isinstance(node, ast.ImportFrom) and (_is_future(node) or node.names[0].name == "*")


def _is_future(node: ast.stmt | None) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_idle(node: ast.stmt) -> bool:
    """Imports, docstrings, `pass`, words to IPython: nobody needs to hear that they were left out."""
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_to_ipython = isinstance(node, ast.Expr) and root_of(node.value) == "get_ipython"
    return is_constant or is_to_ipython or isinstance(node, ast.Pass | ast.Import | ast.ImportFrom)


def _append(parts: list[str], cell: Cell, lines: list[str]) -> None:
    """Add a cell's lines to the module: under a marker, or at their own line numbers in a .py file."""
    while lines and not lines[-1].strip() and not "".join(lines[-2:-1]).endswith("\\"):
        lines.pop()  # but not the line that a backslash needs below it
    if cell.number:
        parts.append(f"{_MARKER}{cell.number}")
    elif len(parts) > cell.offset:  # a text that stands elsewhere in the file came before
        parts.append(f"{_LINE_MARKER}{cell.offset}")
    else:
        parts += [""] * (cell.offset - len(parts))
    parts += lines


def _late_futures(statements: Sequence[Statement], kept: set[int]) -> set[int]:
    """`from __future__` imports that something kept stands before: legal in a notebook, not in a module."""
    first = min((i for i in kept if not _is_future(statements[i].node)), default=len(statements))
    return {i for i in kept if _is_future(statements[i].node) and i > first}


def _future_line(nodes: Iterable[ast.stmt | None]) -> list[str]:
    features = sorted({alias.name for node in nodes if _is_future(node) for alias in node.names})
    return [f"from __future__ import {', '.join(features)}"] if features else []
