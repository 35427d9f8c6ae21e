"""One `source.py`, read: its cells, the reference module, the stubs, and the lines that must not leak.

The source is a module in percent cells (jupytext). Its reference answers stand between
`### BEGIN SOLUTION` and `### END SOLUTION`; these markers act here and nowhere else.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from autograder.records import PtqlabError

_BEGIN, _END = "### BEGIN SOLUTION", "### END SOLUTION"
_SOLUTION = re.compile(rf"^([ \t]*){_BEGIN}\n(.*?)^[ \t]*{_END}[ \t]*\n?", re.MULTILINE | re.DOTALL)
_ALMOST = re.compile(r"#.*\b(begin|end)\W*solution", re.IGNORECASE)
_HEADER = re.compile(r"\s*(def [a-z]|class [A-Z]|(for|with|if|elif|while|raise)\b)")  # of what follows; labs share many
_TRIVIAL = 26  # a statement this short without blanks (`return time.perf_counter()`) gives nothing away


@dataclass(frozen=True)
class SourceCell:
    """One percent cell. `language` is empty for code, and for text that both notebooks show."""

    kind: str  # "code" or "markdown"
    text: str
    language: str = ""


def read_cells(source: Path) -> tuple[SourceCell, ...]:
    """The cells of a `source.py`, each English text followed by its zh-TW twin (else PtqlabError)."""
    notebook = _jupytext().reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    written = [cell for cell in notebook.cells if cell.source]
    cells = tuple(SourceCell(cell.cell_type, cell.source, cell.metadata.get("lang", "")) for cell in written)
    _require_twins(cells, source)
    return cells


def _jupytext() -> ModuleType:
    """The package, imported when it is needed: only instructors have it.

    It imports jsonschema, which compiles the grammar of international web addresses if it finds it: two CPU seconds
    in each grading process, and no notebook has any. So for that moment it is not found.
    """
    grammar = "rfc3987_syntax"
    was_known = grammar in sys.modules
    sys.modules.setdefault(grammar, None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("jupytext")
    finally:
        if not was_known:
            sys.modules.pop(grammar, None)


def reference_source(source: Path) -> str:
    """All code cells of a `source.py`, reference answers included, as the text of one module."""
    return _module(cell.text for cell in read_cells(source) if cell.kind == "code")


def stub_source(source: Path, tasks: Mapping[str, str] | None = None) -> str:
    """The same module as students get it: every reference answer replaced by its stub."""
    return _module(stub(cell.text, tasks or {}) for cell in read_cells(source) if cell.kind == "code")


def _module(texts: Iterable[str]) -> str:
    return "\n\n\n".join(text.strip("\n") for text in texts) + "\n"


def _require_twins(cells: Sequence[SourceCell], source: Path) -> None:
    """Text cells come as English, zh-TW, English, zh-TW …; one that is alone was forgotten in translation."""
    expected = "en"
    for cell in (*cells, SourceCell("code", "the end of the file")):
        if cell.language not in ("", expected) or (not cell.language and expected == "zh-TW"):
            raise PtqlabError(
                f'{source}: expected a markdown cell with lang="{expected}" before {cell.text[:60]!r}. '
                "Every English text stands directly before its zh-TW twin."
            )
        if cell.language:
            expected = "zh-TW" if expected == "en" else "en"


# --- stubs --------------------------------------------------------------------------------------


def stub(code: str, tasks: Mapping[str, str]) -> str:
    """`code` with every solution block replaced: by a raise inside a function, by a remark outside of one."""
    if code.count(_BEGIN) != code.count(_END) or code.count(_BEGIN) != len(_SOLUTION.findall(code)):
        raise PtqlabError(f"unpaired {_BEGIN!r} and {_END!r} in the cell that starts {code[:60]!r}")
    tree = ast.parse(code)

    def replacement(block: re.Match[str]) -> str:
        indent = block[1]
        if not indent:
            return "# Helpers of your own go here, if you want any.\n\n\n"
        name = _enclosing(tree, code.count("\n", 0, block.start()) + 1)
        return f"{indent}# Your code here.\n{indent}raise NotImplementedError({_advice(name, tasks)!r})\n"

    shown = _SOLUTION.sub(replacement, code).rstrip("\n")
    if _ALMOST.search(shown):
        raise PtqlabError(f"a misspelt {_BEGIN!r} or {_END!r} in the cell that starts {code[:60]!r}")
    return shown


def _enclosing(tree: ast.Module, line: int) -> str:
    """The dotted name of the innermost definition around a line: "BasicQuantizer.calibrate"."""
    names: list[str] = []
    for node in ast.walk(tree):  # breadth first: outer definitions come before inner ones
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.lineno <= line <= (node.end_lineno or 0):
            names.append(node.name)
    return ".".join(names)


def _advice(name: str, tasks: Mapping[str, str]) -> str:
    task = tasks.get(name.partition(".")[0])
    if task is None:
        return f"{name} is not written yet"
    return f'{name} is not written yet: write it in task {task}, then run check("{task}")'


def solution_statements(source: Path) -> frozenset[str]:
    """Every line of the reference answers, blanks removed, that is long enough to give something away.

    A line that also stands outside the solution blocks (a signature, a given helper) is no secret, nor is a header.
    """
    code = [cell.text for cell in read_cells(source) if cell.kind == "code"]
    hidden = {line for text in code for block in _SOLUTION.finditer(text) for line in _lines(block[2])}
    shown = "\n".join(_squeeze(stub(text, {})) for text in code)
    return frozenset(line for line in hidden if line not in shown)


def leaks(text: str, statements: frozenset[str]) -> list[str]:
    """The solution statements that stand in `text`, wherever its blanks and line breaks are."""
    squeezed = _squeeze(text)
    return sorted(statement for statement in statements if statement in squeezed)


def _lines(block: str) -> Iterator[str]:
    for line in block.splitlines():
        code = line.split("  #")[0]
        squeezed = _squeeze(code)
        if len(squeezed) > _TRIVIAL and not _HEADER.match(code) and not squeezed.startswith(("#", '"""')):
            yield squeezed


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)
