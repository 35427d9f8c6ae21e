"""The dependency slice: of a notebook's statements, those that the graded names need, in their order.

Flow-sensitive for what runs at the top level (the binding that a statement sees is the one above it), not for
what a function reads when it is called: there every binding of the name is kept, and the last one wins.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

from autograder.submission.bindings import UNKNOWN, Names, names_of
from autograder.submission.dependencies import Effects

P = ParamSpec("P")
T = TypeVar("T")
_MARKER = "# ptqlab: cell "
KEPT = 3_000  # characters: what is found out of a cell of at most this size is kept; none that is handed out is longer
MOST_STEPS = 5_000_000  # from name to name, to follow what a file's changes change: seconds; a long lab takes 100,000
MOST_KEPT = 96  # such cells; those that were handed out come again with every submission, and so stay


@dataclass(frozen=True)
class Cell:
    """A piece of code that parses. `number` counts a notebook's code cells from 1 and is 0 in a .py file.

    `offset`: how many lines of the file stand above it (0 in a notebook).
    """

    number: int
    source: str
    offset: int = 0


@dataclass(frozen=True)
class Slice:
    """A module's source, and what was left out of it: (place, first line) of each statement."""

    source: str
    dropped: tuple[tuple[str, str], ...] = ()


def slice_cells(cells: Sequence[Cell], wanted: Iterable[str]) -> Slice:
    """Return the source of what `wanted` names depend on, directly or not, and what was left out.

    Every line keeps its number within its cell: `locate` finds the place again. Each cell must parse.
    """
    analysed = [_analysed(cell.source) for cell in cells]
    bodies = [body for body, _ in analysed]
    nodes = [node for body in bodies for node in body]
    kept = _closure(nodes, _bounded([names for _, each in analysed for names in each]), frozenset(wanted))
    late = _late_futures(nodes, kept)
    shown = kept - late
    parts = _future_line(nodes[index] for index in sorted(late))
    dropped: list[tuple[str, str]] = []
    start = 0
    for cell, body in zip(cells, bodies, strict=True):
        numbered = list(enumerate(body, start))
        start += len(body)
        lines = cell.source.split("\n")
        gone = [node for index, node in numbered if index not in kept and not _is_idle(node)]
        dropped += [_description(cell, lines, node) for node in gone]
        if any(index in shown for index, _ in numbered):
            _append(parts, cell, kept_lines(cell.source, [(index in shown, node) for index, node in numbered]))
    return Slice("\n".join(parts) + "\n", tuple(dropped))


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


@kept_of_cells
def _analysed(source: str) -> tuple[Sequence[ast.stmt], Sequence[Names]]:
    """A cell's statements, and what each does with names."""
    body, lines = statements_of(source), source.split("\n")
    return body, [names_of(node, _own_text(node, lines)) for node in body]


def _own_text(node: ast.stmt, lines: Sequence[str]) -> str:
    """The lines of a statement, when nothing but a comment shares them; else "", and it has to be written out anew."""
    first, last = _first_line(node), node.end_lineno or node.lineno
    behind = lines[last - 1].encode()[node.end_col_offset :].strip()
    alone = node.col_offset == 0 and (not behind or behind.startswith(b"#"))
    return "\n".join(lines[first - 1 : last]) if alone else ""


def _first_line(node: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def locate(source: str, line: int) -> str:
    """Return where line `line` of a sliced module stood: "cell 5, line 3", or "line 57" of a .py file."""
    lines = source.split("\n")
    for number in range(min(line, len(lines)), 0, -1):
        if lines[number - 1].startswith(_MARKER) and number < line:
            return f"cell {lines[number - 1].removeprefix(_MARKER)}, line {line - number}"
    return f"line {line}"


def _bounded(every: Sequence[Names]) -> list[Names]:
    """`every`; but a statement whose changes would take too long to follow is one that may do anything."""
    reach = _reach(every)
    returned: Counter[str] = Counter()  # by function
    for names in every:
        steps = sum(reach[name] for name in names.later)
        returned.update(dict.fromkeys(names.binds, steps) if steps else {})
    all_steps = [_steps(names, reach, returned) for names in every]
    a_call = sum(all_steps) // 50  # those are quicker ones
    bound = frozenset(name for names in every for name in names.binds)
    followed: set[str] = set()
    left = MOST_STEPS
    bounded = []
    for names, own in zip(every, all_steps, strict=True):
        called = (names.reads | names.calls) & bound
        steps = own + a_call * len(called - followed)
        followed |= called
        is_short = steps <= left
        left -= steps if is_short else 0
        bounded.append(names if is_short else replace(UNKNOWN, binds=names.binds))
    return bounded


def _steps(names: Names, reach: Mapping[str, int], returned: Mapping[str, int]) -> int:
    """How many steps following a statement's changes takes, at most."""
    inside = sum(map(len, names.aliases.values())) + sum(map(len, names.parameters.values())) + len(names.later)
    inside += sum(reach[name] for name in names.later | names.rebinds)
    changes = (
        returned[touch.name] if touch.how == "result" else inside if owner else reach[touch.name]
        for owner, touches in names.touches.items()
        for touch in touches
    )
    return sum(changes) + len(names.binds) * len(names.later | names.reads)


def _reach(every: Sequence[Names]) -> Counter[str]:
    """Name -> how many times a name is another one's among all that stand for each other's objects."""
    above: dict[str, str] = {}

    def root(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    pairs = [
        (name, other)
        for names in every
        for (owner, name), own in names.aliases.items()
        if not owner
        for other, _ in own
    ]
    for name, other in pairs:
        above[root(name)] = root(other)
    sizes = Counter(root(name) for name, _ in pairs)
    return Counter({name: sizes[root(name)] for name in list(above)})


def _closure(nodes: Sequence[ast.stmt], every: Sequence[Names], wanted: frozenset[str]) -> set[int]:
    """The indices of the statements to keep: a fixed point of "what a kept statement needs is kept"."""
    effects = Effects(every, wanted)
    end = len(every)
    kept = {i for i in range(end) if _binds_unseen(nodes[i]) or effects.binds_anything(i)}
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


def _binds_unseen(node: ast.stmt) -> bool:
    """`from x import *` binds names that are not written down, `from __future__` none at all but the grammar."""
    return isinstance(node, ast.ImportFrom) and (_is_future(node) or node.names[0].name == "*")


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_idle(node: ast.stmt) -> bool:
    """Imports, docstrings, `pass`: nobody needs to hear that they were left out."""
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant or isinstance(node, ast.Pass | ast.Import | ast.ImportFrom)


def _description(cell: Cell, lines: Sequence[str], node: ast.stmt) -> tuple[str, str]:
    """Where a statement stood, in the words of `locate`, and the first line of it."""
    place = f"cell {cell.number}, line {node.lineno}" if cell.number else f"line {cell.offset + node.lineno}"
    end = node.end_col_offset if node.end_lineno == node.lineno else None
    return place, lines[node.lineno - 1].encode()[node.col_offset : end].decode()


def _append(parts: list[str], cell: Cell, lines: list[str]) -> None:
    """Add a cell's lines to the module: under a marker, or at their own line numbers in a .py file."""
    while lines and not lines[-1].strip() and not "".join(lines[-2:-1]).endswith("\\"):
        lines.pop()  # but not the line that a backslash needs below it
    if cell.number:
        parts.append(f"{_MARKER}{cell.number}")
    else:
        parts += [""] * (cell.offset - len(parts))
    parts += lines


def kept_lines(source: str, own: Sequence[tuple[bool, ast.stmt]]) -> list[str]:
    """Return the lines of `source` with the statements that are not kept blanked out, comments left in.

    `own` are its top-level statements, in order, each with whether to keep it.
    """
    lines = source.split("\n")
    for group in _sharing_lines(lines, own):
        keeps_any = any(keep for keep, _ in group)
        for _, node in reversed([item for item in group if not item[0]]):
            if keeps_any:
                _replace(lines, node)
            else:
                for number in _lines(node):
                    lines[number - 1] = ""
    return lines


def _sharing_lines(lines: Sequence[str], own: Sequence[tuple[bool, ast.stmt]]) -> list[list[tuple[bool, ast.stmt]]]:
    """Statements that stand on common lines (`a = 1; plot(a)`), or on lines that a backslash joins, together."""
    groups: list[list[tuple[bool, ast.stmt]]] = []
    end = 0
    for item in own:
        if groups and (_lines(item[1]).start <= end or lines[end - 1].endswith("\\")):
            groups[-1].append(item)
        else:
            groups.append([item])
        end = _lines(item[1]).stop - 1
    return groups


def _lines(node: ast.stmt) -> range:
    """A statement's lines, decorators included, counted from 1."""
    first = _first_line(node)
    return range(first, (node.end_lineno or first) + 1)


def _replace(lines: list[str], node: ast.stmt) -> None:
    """Put `pass` in the place of `node`, on as many lines as it had (columns count UTF-8 bytes)."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode()
    if first == last:
        lines[first] = f"{before}pass{after}"
    else:
        lines[first : last + 1] = [f"{before}pass\\", *["\\"] * (last - first - 1), after]


def _late_futures(nodes: Sequence[ast.stmt], kept: set[int]) -> set[int]:
    """`from __future__` imports that something kept stands before: legal in a notebook, not in a module."""
    first = min((i for i in kept if not _is_future(nodes[i])), default=len(nodes))
    return {i for i in kept if _is_future(nodes[i]) and i > first}


def _future_line(nodes: Iterable[ast.stmt]) -> list[str]:
    features = sorted({alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names})
    return [f"from __future__ import {', '.join(features)}"] if features else []
