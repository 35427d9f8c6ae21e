"""The normal form of code: definitions as one character a token, without what a copyist changes first.

Names, comments, strings, docstrings, annotations and the order of definitions are gone from it.
"""

from __future__ import annotations

import ast
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

from autograder.submission.cells import parse_script
from autograder.submission.pieces import kept_of_cells, statements_of

_NAME = "v"  # every name of the student's own
_TEXT = "t"  # every string: messages are free
ALPHABET = "".join(map(chr, (*range(0x21, 0x7F), *range(0xA1, 0x100))))  # RapidFuzz is fastest below U+0100
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def fingerprint(cells: Sequence[str], handed_out: frozenset[str] = frozenset()) -> str:
    """The definitions in these code cells as one character a token; "" when nothing of the student's own is there.

    `handed_out`: the definitions, as `definitions` gives them, that everybody has.
    """
    found = {(name, tokens) for name, tokens in definitions(cells) if tokens not in handed_out}
    return "".join(tokens for _, tokens in sorted(found))


def definitions(cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, tokens) of each top-level function and class; what does not parse is left out."""
    nodes = [(cell, node) for cell in cells for node in _definitions_in(cell)]
    names = frozenset(node.name for _, node in nodes)
    for cell in dict.fromkeys(cell for cell, _ in nodes):
        yield from _normal_forms(cell, names)


def _definitions_in(cell: str) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, ...]:
    return tuple(node for node in _parsed(cell) if isinstance(node, _DEFINITIONS))


@kept_of_cells
def _normal_forms(cell: str, names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """(name, tokens) of each definition in a cell of a submission in which these names are defined."""
    return tuple(
        (node.name, "".join(_character(token) for token in _tokens(node, names))) for node in _definitions_in(cell)
    )


def _parsed(cell: str) -> Sequence[ast.stmt]:
    """A cell's statements; of one with magics or mistakes, those that the grader would keep."""
    try:
        return statements_of(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last also where it is nested too deeply
        return [node for piece in parse_script(cell)[0] for node in statements_of(piece.source)]


def _tokens(definition: ast.stmt, names: frozenset[str]) -> Iterator[str]:
    """The definition's tree from the top down, without what a copyist changes first.

    `names` and those that the definition gives itself (arguments, variables, attributes, inner functions) are as one.
    """
    found: list[tuple[str, str]] = []  # what stands there, and the name that it carries
    own = set(names)
    waiting: list[ast.AST] = [definition]
    while waiting:  # no recursion: it may be deep
        node = waiting.pop()
        kind = type(node)
        if kind is ast.Constant:
            found.append((_TEXT if isinstance(node.value, str) else _written(node.value), ""))  # type: ignore[attr-defined]
            continue
        if kind is ast.JoinedStr:
            found.append((_TEXT, ""))
            continue
        if kind is ast.Expr and type(node.value) is ast.Constant:  # type: ignore[attr-defined]
            continue  # a docstring
        carried = _NAMED_BY.get(kind)
        name = (getattr(node, carried) or "") if carried else ""
        if kind is ast.arg or type(getattr(node, "ctx", None)) is ast.Store:
            own.add(name)
        elif kind in _DEFINITIONS:
            own.add(node.name)  # type: ignore[attr-defined]
        found.append((kind.__name__, name))
        waiting += reversed(_children(node))
    for what, name in found:
        yield what
        if name:
            yield _NAME if name in own else name


def _written(value: object) -> str:
    """The start of a constant; of a number with more digits than Python writes, in hexadecimal."""
    try:
        return repr(value)[:50]
    except ValueError:
        return f"{value:x}"[:50]


_NAMED_BY: dict[type[ast.AST], str] = {  # the name that a node carries itself; that of a definition is its own affair
    ast.Name: "id",
    ast.Attribute: "attr",
    ast.arg: "arg",
    ast.keyword: "arg",
    ast.alias: "name",
}
_LEFT_OUT = frozenset(("annotation", "returns", "ctx", "type_params"))


def _children(node: ast.AST) -> list[ast.AST]:
    found = []
    for field in node._fields:
        if field not in _LEFT_OUT:
            value = getattr(node, field, None)
            if isinstance(value, ast.AST):
                found.append(value)
            elif type(value) is list:
                found += [item for item in value if isinstance(item, ast.AST)]
    return found


@lru_cache(1000)
def _character(token: str) -> str:
    return ALPHABET[zlib.crc32(token.encode("utf-8", "surrogatepass")) % len(ALPHABET)]
