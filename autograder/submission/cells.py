"""A file's code -> cells that parse: broken pieces are named and left out, files that cells write are set apart."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from autograder.submission import newer_python
from autograder.submission.compiling import Trouble, trouble_of
from autograder.submission.helpers import plain_path
from autograder.submission.mending import Mended, mended
from autograder.submission.pieces import ANYTHING, Cell, File, LeftOut, statements_of

_PERCENT = re.compile(r"# ?%%(.*)|# In\s?\[[\d ]*\]:?\s*")  # a cell starts: percent format, nbconvert's export
_EXPORTED = "get_ipython().run_cell_magic("  # nbconvert's form of a cell magic
_NO_START = re.compile(r"\s|#|[)\]}]|(elif|else|except|finally)\b|$")  # such a line starts no statement
_BINDS = re.compile(
    r"^\s*(?:async\s+)?(?:def|class|type|for)\s+(?P<name>\w+)|^\s*(?P<names>\w+(?:\s*,\s*\w+)*)\s*(?::[^=]*)?=(?!=)"
    r"|^\s*(?:from\s+\S+\s+)?import\s.*?(?P<imported>\w+)\s*$"
)
_MOST_JOINED = 50  # lines in column 0 that may belong to one statement, as in a long string

Parsed = tuple[tuple[Cell, ...], tuple[str, ...]]
Judge = Callable[[str, str], str]
"""Says which Python takes a piece of code that this one doesn't: (source, claimed version) -> "3.12", or ""."""


def parse_notebook(sources: Sequence[str], claimed: str = "", judge: Judge = newer_python.version_needed) -> Parsed:
    """Return a notebook's code cells that parse, and a sentence on each that was left out.

    Cells are counted as Jupyter does when all are run from the top: blank ones do not count. `claimed`: the Python that
    the notebook says it was made with ("3.12.1").
    """
    pieces = _Pieces(claimed, judge)
    for number, source in enumerate((text for text in map(normal, sources) if text.strip()), start=1):
        pieces.add(number, source, 0, mended(source))
    return tuple(pieces.cells), tuple(pieces.notes)


def parse_script(text: str) -> Parsed:
    """Return what parses of a .py file: all of it, or those percent cells and statements that do."""
    text = normal(text)
    whole = mended(text)
    if whole.source and not (whole.trouble or whole.runs or _EXPORTED in text):
        return (Cell(0, whole.source),), ()
    pieces = _Pieces()
    for offset, cell in _percent_cells(text):
        source = _imported(cell) if _EXPORTED in cell else cell
        pieces.add(0, source, offset, mended(source))
    return tuple(pieces.cells), tuple(pieces.notes)


@dataclass
class _Pieces:
    """The pieces of one file as they are found, and the files that its cells have written so far."""

    claimed: str = ""
    judge: Judge = newer_python.version_needed
    cells: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: dict[str, list[Cell]] = field(default_factory=dict)

    def add(self, number: int, source: str, offset: int, found: Mended) -> None:
        """Take one cell (`number` 0: a part of a script, with `offset` lines above it) and what was made of it."""
        if found.file:
            self._write(number, offset, found.file)
        elif found.trouble and found.trouble.broken:
            self._take_apart(number, found.rest, offset, found.trouble)
        elif found.trouble and not found.source:
            self._leave_out(number, source, offset, found.trouble)
        else:
            if found.trouble:
                self._note(number, offset, found.trouble)
            self._put(number, found.source, offset, found.runs)

    def _take_apart(self, number: int, source: str, offset: int, trouble: Trouble) -> None:
        """Leave out a broken cell; of a script, or of a cell that a newer Python takes, only the broken statements."""
        python = self.judge(source, self.claimed) if newer_python.may_take(source, self.claimed) else ""
        if number and not python:
            self._leave_out(number, source, offset, trouble)
            return
        lines, runs = source.split("\n"), []
        for start, end, its_own in _broken_statements(source):
            statement = "\n".join(lines[start:end])
            again = mended(statement)
            if not again.source:
                why = Trouble(its_own.line, f"needs Python {python}", python=python) if python else its_own
                self._leave_out(number, statement, offset + start, why)
            runs += [(start + line, name) for line, name in again.runs]
            lines[start:end] = again.source.split("\n") if again.source else [""] * (end - start)
        self._put(number, "\n".join(lines), offset, runs)

    def _leave_out(
        self, number: int, source: str, offset: int, trouble: Trouble, binds: frozenset[str] = frozenset()
    ) -> None:
        self._note(number, offset, trouble)
        left_out = LeftOut(offset + trouble.line, self.notes[-1], binds or _bound_by_text(source), trouble.python)
        self.cells.append(Cell(number, "", offset, left_out=left_out))

    def _note(self, number: int, offset: int, trouble: Trouble) -> None:
        what = f"Cell {number}" if number else f"The code from line {offset + 1} on"
        self.notes.append(f"{what} {trouble.sentence(offset)}")

    def _write(self, number: int, offset: int, file: File) -> None:
        """Take a cell that writes a file: as a statement that does so; as text, should another cell run the file."""
        lines = [*[""] * (file.line - 1), file.statement(), file.text]
        self.cells.append(_part(number, lines, file.line - 1, file.line, offset, file))
        text = _part(number, lines, file.line, file.line + 1, offset)
        earlier = self.files.get(plain_path(file.name), []) if file.appends else []
        self.files[plain_path(file.name)] = [*earlier, text]

    def _put(self, number: int, source: str, offset: int, runs: Sequence[tuple[int, str]]) -> None:
        """Take code that parses; where it runs a file that a cell has written, that file's text stands in its place."""
        lines = source.split("\n")
        start = 0
        for line, name in runs:
            texts = self.files.get(f"{plain_path(name)}.py")
            if texts is None:
                trouble = Trouble(line, f"runs {name}.py, which none of the cells above writes")
                self._leave_out(number, "", offset, trouble, ANYTHING)
                continue
            self.cells.append(_part(number, lines, start, line, offset))
            for text in texts:
                found = mended(text.source)
                self.add(text.number, text.source, text.offset, Mended(found.source, found.trouble, found.rest))
            start = line
        self.cells.append(_part(number, lines, start, len(lines), offset))


def _part(number: int, lines: Sequence[str], start: int, end: int, offset: int, file: File | None = None) -> Cell:
    """Some of a cell's lines, which keep their numbers."""
    text = "\n".join(lines[start:end])
    return Cell(number, "\n" * start + text, 0, file) if number else Cell(0, text, offset + start, file)


def _bound_by_text(source: str) -> frozenset[str]:
    """The names that code which does not parse binds at the top level, read off its lines."""
    names: set[str] = set()
    in_definition = False
    for line in source.split("\n"):
        is_outer = bool(line[:1].strip())
        if match := _BINDS.match(line) if is_outer or not in_definition else None:
            names.update(re.findall(r"\w+", match["name"] or match["names"] or match["imported"]))
        if is_outer:
            in_definition = line.startswith(("def ", "class ", "async ", "@"))
    return frozenset(names)


def normal(text: str) -> str:
    r"""Return code whose line ends are \n; no byte order mark; what UTF-8 cannot hold is replaced."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return text.encode("utf-8", "replace").decode("utf-8")


def _percent_cells(text: str) -> Iterator[tuple[int, str]]:
    """The cells of a percent script, (lines above, source); text cells are left out."""
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if _PERCENT.fullmatch(line)]
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        mark = lines[start] if start in starts else ""
        source = "\n".join(["" if mark else lines[start], *lines[start + 1 : end]])  # so that a magic stands first
        if source.strip() and not re.search(r"\[(markdown|md|raw)\]", mark):
            yield start, source


def _imported(source: str) -> str:
    """A cell that is nothing but nbconvert's form of a cell magic, as the cell it was."""
    if trouble_of(source):
        return source
    match statements_of(source):
        case [ast.Expr(ast.Call(ast.Attribute(attr="run_cell_magic"), [*arguments])) as node]:
            match arguments:
                case [ast.Constant(str(name)), ast.Constant(str(rest)), ast.Constant(str(body))]:
                    return "\n" * (node.lineno - 1) + f"%%{name} {rest}".rstrip() + f"\n{body}"
    return source


def _broken_statements(source: str) -> Iterator[tuple[int, int, Trouble]]:
    """The statements at the top level that do not parse: (lines above, line behind, why)."""
    lines = source.split("\n")
    starts = [i for i in range(1, len(lines)) if not (_NO_START.match(lines[i]) or lines[i - 1].startswith("@"))]
    starts = [0, *starts, len(lines)]
    index = 0
    while index < len(starts) - 1:
        start, trouble = starts[index], None
        for end in range(index + 1, min(index + _MOST_JOINED, len(starts))):
            found = trouble_of("\n".join(lines[start : starts[end]]))
            trouble = trouble or found
            if found is None:
                index = end
                break
        else:
            assert trouble is not None
            yield start, starts[index + 1], trouble
            index += 1
