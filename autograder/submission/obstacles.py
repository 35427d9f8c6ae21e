"""Why a graded name that the student did write doesn't work here: pieces left out, packages and Pythons that the grader
doesn't have.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from autograder.submission.helpers import module_of
from autograder.submission.linking import Statement, outside_of
from autograder.submission.newer_python import OURS, library_needed, version_of
from autograder.submission.pieces import place_of


@dataclass(frozen=True)
class Obstacle:
    """Something that a statement wants and doesn't get, a `package` or a `python`; or `why` the statement is left out.

    `names`: what it would have bound.
    """

    place: str
    package: str = ""
    python: str = ""
    why: str = ""
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
    found: dict[int, list[Obstacle]] = {}
    for index in sorted(kept):
        own = [
            *_of_pieces(statements[index]),
            *_of_imports(statements[index], claimed, helpers, installed),
            *_of_members(statements[index], claimed, modules),
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
        "lost": {name: whys for name, own in of_names.items() if (whys := tuple(item.why for item in own if item.why))},
    }


def _of_pieces(statement: Statement) -> Iterator[Obstacle]:
    cell = statement.cell
    if cell.left_out:
        place = place_of(cell, cell.left_out.line - (0 if cell.number else cell.offset))
        yield Obstacle(place, python=cell.left_out.python, why=cell.left_out.why)


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
            yield Obstacle(place, python=python, names=bound)
        elif installed is not None and package not in installed:
            yield Obstacle(place, package=package, names=bound)


def _of_members(statement: Statement, claimed: str, modules: Mapping[str, str]) -> Iterator[Obstacle]:
    """`itertools.batched(…)`: what a module of the standard library has in another version alone."""
    cell, node, _ = statement
    theirs = version_of(claimed)
    if node is None or theirs is None or theirs == OURS:
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and (dotted := _dotted(part)):
            first, _, rest = dotted.partition(".")
            if python := library_needed(f"{modules.get(first, first)}.{rest}", claimed):
                yield Obstacle(place_of(cell, part.lineno), python=python)


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as text; "" for another expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
