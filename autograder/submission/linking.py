"""A file's cells -> statements with their names: helper files become modules that statements import, left-out pieces
things that bind names.

A helper file acts as two things: the file, written by a statement, and the module that importing it makes. Only what is
imported becomes a helper.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from autograder.submission.bindings import Names, names_of
from autograder.submission.helpers import files_of, module_of, plain_path
from autograder.submission.outside import FILE, Import, Outside
from autograder.submission.pieces import ANYTHING, Cell, File, kept_of_cells, statements_of
from autograder.submission.statement_text import own_text

_MODULE = "module:"


class Statement(NamedTuple):
    """A statement at the top level. `node` is None for what stands for one: a module to import, a piece left out."""

    cell: Cell
    node: ast.stmt | None
    names: Names


def linked(cells: Sequence[Cell], graded: Iterable[str]) -> list[Statement]:
    """Return the statements of all cells, in order, with what they import and bind by way of files."""
    files = list(dict.fromkeys(plain_path(cell.file.name) for cell in cells if cell.file and module_of(cell.file.name)))
    again = any("reload" in cell.source for cell in cells)  # importlib.reload, or autoreload: the last version counts
    statements: list[Statement] = []
    for cell in cells:
        nodes, names = _analysed(cell.source)
        if cell.left_out:
            statements.append(Statement(cell, None, Names(binds=cell.left_out.binds)))
        elif cell.file:
            path = plain_path(cell.file.name)
            statements.append(Statement(cell, nodes[0], _written(f"{FILE}{path}", cell.file)))
            statements += [Statement(cell, None, _as_module(cell.file, files))] if path in files else []
        else:
            linked_names = [_importing(own, files, again) for own in names] if files else names
            statements += [Statement(cell, node, own) for node, own in zip(nodes, linked_names, strict=True)]
    return _without_what_is_mended(statements, frozenset(graded))


def _without_what_is_mended(statements: list[Statement], graded: frozenset[str]) -> list[Statement]:
    """Let pieces that are left out bind only what nothing below binds; or, if nobody can tell, what nothing binds."""
    if not any(statement.cell.left_out for statement in statements):
        return statements
    bound = frozenset(dir(builtins)).union(*(names.binds for _, _, names in statements))
    wanted = graded.union(*(names.reads | names.later for _, _, names in statements))
    below: frozenset[str] = frozenset()
    found = []
    for statement in reversed(statements):
        cell, node, names = statement
        if cell.left_out:
            binds = wanted - bound if names.binds == ANYTHING else names.binds - below
            statement = Statement(cell, node, replace(names, binds=binds))  # noqa: PLW2901
        below |= names.surely
        found.append(statement)
    return found[::-1]


@kept_of_cells
def _analysed(source: str) -> tuple[Sequence[ast.stmt], Sequence[Names]]:
    """A cell's statements, and what each does with names."""
    body, lines = statements_of(source), source.split("\n")
    return body, [names_of(node, own_text(node, lines)) for node in body]


def _written(name: str, file: File) -> Names:
    """What writing a file binds; a text that is added to it needs what stands there."""
    bound = frozenset({name})
    needed = bound if file.appends else frozenset()
    return Names(binds=bound, surely=frozenset() if file.appends else bound, needs=needed, reads=needed)


def _as_module(file: File, files: Sequence[str]) -> Names:
    """What importing a helper needs: the other helpers that it imports, the files that it mentions."""
    outside = outside_of(file.text)
    beside = [other for other in files if "/" in other and other.split("/")[0] == plain_path(file.name).split("/")[0]]
    needed = _modules(outside.imports, files) | {f"{_MODULE}{other}" for other in beside} | outside.now | outside.later
    names = _written(f"{_MODULE}{plain_path(file.name)}", file)
    return replace(names, later=needed - names.binds)


def outside_of(text: str) -> Outside:
    """Return what a helper's text imports and mentions; nothing if it does not parse."""
    outside = Outside()
    try:
        for statement in ast.parse(text).body:
            outside.visit(statement)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return outside


def _importing(names: Names, files: Sequence[str], again: bool) -> Names:
    """`names`, and the helpers that the statement imports: as they are there and then, or at the end."""
    now = _modules((item for item in names.imported if not item.deferred), files)
    later = _modules(names.imported, files) if again else _modules((i for i in names.imported if i.deferred), files)
    return replace(names, needs=names.needs | now, reads=names.reads | now, later=names.later | later)


def _modules(imports: Iterable[Import], files: Sequence[str]) -> frozenset[str]:
    return frozenset(f"{_MODULE}{file}" for item in imports for file in files_of(item.module, files))


def helpers_of(statements: Iterable[Statement]) -> Mapping[str, str]:
    """Return the helper files among the statements that are kept: path -> source."""
    helpers: dict[str, str] = {}
    for statement in statements:
        file = statement.cell.file
        if file and statement.node is None:
            path = plain_path(file.name)
            helpers[path] = helpers.get(path, "") * file.appends + file.text
    return helpers
