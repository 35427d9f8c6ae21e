"""The lines of statements: their own text, and a cell's lines without the statements that are not kept."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def own_text(node: ast.stmt, lines: Sequence[str]) -> str:
    """Return a statement's lines, when nothing but a comment shares them; else "": it has to be written out anew."""
    first, last = first_line(node), node.end_lineno or node.lineno
    behind = lines[last - 1].encode()[node.end_col_offset :].strip()
    alone = node.col_offset == 0 and (not behind or behind.startswith(b"#"))
    return "\n".join(lines[first - 1 : last]) if alone else ""


def first_line(node: ast.stmt) -> int:
    """Return the line on which a statement starts, decorators included."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


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
    first = first_line(node)
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
