"""Whole statements moved to the left or right: main blocks are unfolded, a cell becomes the body of a class."""

from __future__ import annotations

import ast
import io
import tokenize

from autograder.submission.pieces import statements_of
from autograder.submission.statement_text import first_line

_BETWEEN = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def unguarded(source: str) -> str:
    """Return `source`, which compiles, as a notebook runs it, where `__name__` is "__main__"; lines keep their numbers.

    The statements below `if __name__ == "__main__":` at the top level stand for themselves, so that each is kept or
    dropped by itself. An `else` goes. Elsewhere the comparison becomes True.
    """
    if "__main__" not in source:
        return source
    lines, starts = source.split("\n"), _starts(source)
    for node in statements_of(source):
        if isinstance(node, ast.If) and _asks_for_main(node.test) is True:
            _unfold(lines, node, starts)
    return _decided("\n".join(lines))


def indented(source: str) -> str:
    """Return `source`, which compiles, one level further to the right; the lines inside strings stay as they are."""
    starts = _starts(source)
    lines = source.split("\n")
    return "\n".join(f"    {line}" if number in starts else line for number, line in enumerate(lines, start=1))


def _unfold(lines: list[str], node: ast.If, starts: set[int]) -> None:
    first, last = first_line(node.body[0]), node.body[-1].end_lineno or node.body[-1].lineno
    for number in [*range(node.lineno, first), *range(last + 1, (node.end_lineno or last) + 1)]:
        lines[number - 1] = ""
    before = lines[first - 1].encode()[: node.body[0].col_offset].decode()
    if before.strip() and not before.lstrip().startswith("@"):  # `if …: x = 1`
        lines[first - 1] = lines[first - 1].removeprefix(before)
        return
    indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
    for number in starts & set(range(first, last + 1)):
        lines[number - 1] = lines[number - 1].removeprefix(indent)


def _starts(source: str) -> set[int]:
    """The lines on which a statement or a clause starts; none in brackets or strings, none below a backslash."""
    starts: set[int] = set()
    is_new = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NEWLINE:
            is_new = True
        elif is_new and token.type not in _BETWEEN:
            starts.add(token.start[0])
            is_new = False
    return starts


def _asks_for_main(node: ast.AST) -> bool | None:
    """Whether `node` is `__name__ == "__main__"` (True) or `__name__ != "__main__"` (False); None: neither."""
    match node:
        case (
            ast.Compare(left=ast.Name("__name__"), ops=[asked], comparators=[ast.Constant("__main__")])
            | ast.Compare(left=ast.Constant("__main__"), ops=[asked], comparators=[ast.Name("__name__")])
        ):
            return True if isinstance(asked, ast.Eq) else False if isinstance(asked, ast.NotEq) else None
    return None


def _decided(source: str) -> str:
    """Put True or False in the place of what is left of such comparisons."""
    lines = source.split("\n")
    nodes = [node for statement in ast.parse(source).body for node in ast.walk(statement)]
    asked = [(node, answer) for node in nodes if (answer := _asks_for_main(node)) is not None]
    for node, answer in sorted(asked, key=lambda pair: -pair[0].col_offset):  # type: ignore[attr-defined]
        assert isinstance(node, ast.Compare)
        if node.lineno == node.end_lineno:
            line = lines[node.lineno - 1].encode()
            lines[node.lineno - 1] = f"{line[: node.col_offset].decode()}{answer}{line[node.end_col_offset :].decode()}"
    return "\n".join(lines)
