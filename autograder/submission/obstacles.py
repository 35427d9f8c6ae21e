"""Why a graded name that the student did write doesn't work here: pieces left out, packages and Pythons that the grader
doesn't have.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from autograder.submission.helpers import module_of
from autograder.submission.linking import Statement, outside_of
from autograder.submission.newer_python import OURS, is_late, library_needed, version_of, written
from autograder.submission.packages import missing
from autograder.submission.pieces import place_of
from autograder.submission.shell import notebook_names

_GIVEN = frozenset((*dir(builtins), "__file__", *notebook_names({})))
_UNBOUND = dict.fromkeys(("_", "__", "___", "In", "Out", "_ih", "_oh", "_i"), "only a running notebook has")


@dataclass(frozen=True)
class Obstacle:
    """Something that a statement wants and doesn't get, such as a `package` or a `python`; `why` says so.

    `names`: what it would have bound.
    """

    place: str
    why: str
    package: str = ""
    python: str = ""
    names: frozenset[str] = frozenset()


class Told(TypedDict):
    """The fields of a slice that speak of obstacles."""

    needs_python: Mapping[str, tuple[str, str]]
    absent: Mapping[str, tuple[str, str]]
    lost: Mapping[str, tuple[str, ...]]


def obstacles_among(
    statements: Sequence[Statement], kept: set[int], claimed: str, installed: Collection[str] | None
) -> dict[int, list[Obstacle]]:
    """Return what stands in the way of kept statements, by their indices."""
    helpers = {part for cell, _, _ in statements if cell.file for part in module_of(cell.file.name).split(".")}
    modules = {item.name: item.module if item.is_whole else item.name for s in statements for item in s.names.imported}
    bound = _bound_first(statements)
    found: dict[int, list[Obstacle]] = {}
    for index in sorted(kept):
        own = [
            *_of_pieces(statements[index]),
            *_of_imports(statements[index], claimed, helpers, installed),
            *_of_members(statements[index], claimed, modules),
            *_of_names(index, statements, bound, is_late(claimed)),
        ]
        if own:
            found[index] = own
    return found


def told(obstacles: Mapping[int, Sequence[Obstacle]], met: Mapping[str, Collection[int]]) -> Told:
    """Return what a slice tells of obstacles; `met`: graded name -> those on its way."""
    of_names = {name: [item for index in sorted(at) for item in obstacles[index]] for name, at in met.items()}
    needed = {name: [item for item in own if item.python] for name, own in of_names.items()}
    missing = {name: [item for item in own if item.package] for name, own in of_names.items()}
    bound = {name: [item] for own in obstacles.values() for item in own if item.package for name in item.names}
    newest = {name: max(own, key=lambda item: version_of(item.python) or OURS) for name, own in needed.items() if own}
    return {
        "needs_python": {name: (item.python, item.place) for name, item in newest.items()},
        "absent": {name: (own[0].package, own[0].place) for name, own in {**bound, **missing}.items() if own},
        "lost": {name: tuple(dict.fromkeys(item.why for item in own)) for name, own in of_names.items() if own},
    }


def _of_pieces(statement: Statement) -> Iterator[Obstacle]:
    cell = statement.cell
    if cell.left_out:
        place = place_of(cell, cell.left_out.line - (0 if cell.number else cell.offset))
        yield Obstacle(place, cell.left_out.why, python=cell.left_out.python)


def _of_imports(
    statement: Statement, claimed: str, helpers: Collection[str], installed: Collection[str] | None
) -> Iterator[Obstacle]:
    cell, node, names = statement
    imports = names.imported if node else outside_of(cell.file.text).imports if cell.file else ()
    above = node.lineno if node else cell.file.line if cell.file else 0
    for item in imports:
        package = item.module.partition(".")[0]
        if not package or package in helpers or item.guarded:
            continue
        place, bound = place_of(cell, above + item.line), frozenset({item.name})
        parts = f"{item.module}.{item.member}".removesuffix(".").split(".")
        pythons = (library_needed(".".join(parts[:count]), claimed) for count in range(1, len(parts) + 1))
        if python := next(filter(None, pythons), ""):
            yield Obstacle(place, _newer(place, python), python=python, names=bound)
        elif installed is not None and package not in installed:
            yield Obstacle(place, f"{missing(package, place)}.", package=package, names=bound)


def _of_members(statement: Statement, claimed: str, modules: Mapping[str, str]) -> Iterator[Obstacle]:
    """`itertools.batched(…)`: what a module of the standard library has in another version alone."""
    cell, node, _ = statement
    theirs = version_of(claimed)
    if node is None or theirs is None or theirs == OURS:
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            first, _, rest = _dotted(part).partition(".")
            if first in modules and (python := library_needed(f"{modules[first]}.{rest}", claimed)):
                place = place_of(cell, part.lineno)
                yield Obstacle(place, _newer(place, python), python=python)


def _newer(place: str, python: str) -> str:
    return f"{_upper(place)} needs Python {python}; the grader runs {written(OURS)}."


def _upper(place: str) -> str:
    return f"{place[0].upper()}{place[1:]}"


def _bound_first(statements: Sequence[Statement]) -> Mapping[str, int] | None:
    """Name -> the first statement that may bind it; None where one may bind names that nobody can tell."""
    first: dict[str, int] = {}
    for index, (_, node, names) in enumerate(statements):
        if names.dynamic or (isinstance(node, ast.ImportFrom) and node.names[0].name == "*"):
            return None
        for name in names.binds | names.rebinds:
            first.setdefault(name, index)
    return first


def _of_names(
    index: int, statements: Sequence[Statement], bound: Mapping[str, int] | None, late_annotations: bool
) -> Iterator[Obstacle]:
    """A name that a statement reads at once, and that is bound below or nowhere."""
    cell, node, names = statements[index]
    may_be_late = late_annotations and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if node is None or bound is None or may_be_late:
        return
    for name in sorted(name for name in names.needs if ":" not in name and name not in _GIVEN):
        below = bound.get(name)
        place = place_of(cell, node.lineno)
        if below is None:
            yield Obstacle(place, f"{_upper(place)} uses {name}, which {_UNBOUND.get(name, 'nothing binds')}.")
        elif below > index and (binder := statements[below].node):
            where = place_of(statements[below].cell, binder.lineno).partition(",")[0]
            yield Obstacle(place, f"{_upper(place)} uses {name}, which is bound below, in {where}.")


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as text; "" for another expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
