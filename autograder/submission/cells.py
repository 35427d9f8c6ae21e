"""Code as students write it -> cells that parse: magics out, broken pieces named, line numbers kept."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autograder.submission.slicing import Cell, kept_lines, kept_of_cells, statements_of

# below these, a cell is ordinary Python that runs in the notebook's namespace (or nearly: timeit)
_PYTHON_BELOW = frozenset(("time", "timeit", "capture", "prun", "memit", "mprun", "snakeviz"))
_CELL_MAGIC = re.compile(r"%%(\w*)")
_TIMED = re.compile(r"%time\s+(\S.*)")
_MAGIC = re.compile(
    r"[%!?].*"  # %matplotlib inline, !pip install …, ?obj
    r"|[\w.]+\?\??"  # obj?
    r"|[\w.,\s\[\]]+=\s*[%!].*"  # files = !ls
    r"|(pip|conda|mamba|uv|cd|ls|cat|matplotlib|load_ext)\s.*"  # automagic: the % left out
)
_PERCENT = re.compile(r"# ?%%(.*)|# In\s?\[[\d ]*\]:?\s*")  # a cell starts: percent format, nbconvert's export
_NO_START = re.compile(r"\s|#|[)\]}]|(elif|else|except|finally)\b|$")  # such a line starts no statement
_BUDGET = 2_000_000  # characters to parse while mending a file's code, which may be hostile: a few seconds
_SHARED_FROM = 10_000  # characters of a file; of a larger one each cell gets a part of the budget
_BUDGET_OF_PIECES = (
    5_000_000  # characters to parse while looking for the statements of a broken script that can be saved
)
_LARGE = 100_000  # characters; up to here only copies of `finally` were found that take CPython's compiler long
_MOST_COPIED = (
    100_000  # nodes that it compiles again: a fraction of a second, and more than any text here has by itself
)
_ENDLESS = 10**9  # nodes; numbers stay small
_MARGIN = 20  # calls
_PATIENCE_S = 10
_TRIAL = "import ast, sys; compile(ast.parse(sys.stdin.buffer.read()), '', 'exec')"
_MOST_CELLS = 1_000  # of a broken script
_MOST_JOINED = 50  # lines in column 0 that may belong to one statement, as in a long string

_TOO_MUCH = "it is too large or too intricate for Python's compiler"

Parsed = tuple[tuple[Cell, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Trouble:
    """Why a piece of code is left out. `broken`: it does not compile, though statements in it may."""

    line: int
    what: str
    broken: bool = False

    def sentence(self, offset: int = 0) -> str:
        """What becomes of the code, for the student; `offset` lines of the file stand above it."""
        what, colon, detail = self.what.partition(": ")
        return f"{what} (line {offset + self.line}{colon}{detail}): what it defines is not graded."


def parse_notebook(sources: Sequence[str]) -> Parsed:
    """Return a notebook's code cells that parse, and a sentence on each that was left out.

    Cells are counted as Jupyter does when all are run from the top: blank ones do not count.
    """
    cells: list[Cell] = []
    notes: list[str] = []
    budget = _share(sum(map(len, sources)))
    for number, source in enumerate((text for text in map(_normal, sources) if text.strip()), start=1):
        code, trouble = _mended(source, budget)
        cells += [Cell(number, code)] if code else []
        notes += [f"Cell {number} {trouble.sentence()}"] if trouble else []
    return tuple(cells), tuple(notes)


def parse_script(text: str, effort: float = 1.0) -> Parsed:
    """Return what parses of a .py file: all of it, or those percent cells and statements that do.

    With an `effort` of 1/n that much less is tried to mend it: for those who ask about many pieces.
    """
    text = _normal(text)
    code, trouble = _mended(text, int(_BUDGET * effort))
    if not trouble:
        return (Cell(0, code),), ()
    cells: list[Cell] = []
    notes: list[str] = []
    budget, for_pieces = int(_share(len(text)) * effort), [int(_BUDGET_OF_PIECES * effort)]
    for offset, source in itertools.islice(_percent_cells(text), _MOST_CELLS):
        code, trouble = _mended(source, budget)
        pieces = _statements(source, for_pieces) if trouble and trouble.broken else [(0, code, trouble)]
        for start, piece, its_trouble in pieces:
            above = offset + start
            cells += [Cell(0, piece, above)] if piece else []
            notes += [f"The code from line {above + 1} on {its_trouble.sentence(above)}"] if its_trouble else []
    return tuple(cells), tuple(notes)


def _share(size: int) -> int:
    """The budget of one piece of a file of that size; in steps, since what is found out of a cell is kept by it,
    too.
    """
    return _BUDGET // max(1, -(-size // _SHARED_FROM))


def _normal(text: str) -> str:
    r"""Line ends are \n; no byte order mark; what UTF-8 cannot hold is replaced."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return text.encode("utf-8", "replace").decode("utf-8")


@kept_of_cells
def _mended(source: str, budget: int) -> tuple[str, _Trouble | None]:
    """`source` with its magics blanked, as many lines as before; or "", and why it cannot be used."""
    lines = source.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    while match := _CELL_MAGIC.match(lines[first]):
        if match[1] not in _PYTHON_BELOW:
            return "", _Trouble(first + 1, f"begins with {match[0]}, which is no Python")
        lines[first] = ""
        first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    attempts = max(5, budget // (len(source) + 1_000))
    while error := _error(source := "\n".join(lines)):
        attempts -= 1
        if attempts < 0 or not (_dedent(lines, first) or _blank_magic(lines, error.line - 1)):
            return _without_await(source) or ("", error)
    return source, None


def _error(source: str | ast.Module, flags: int = 0) -> _Trouble | None:
    """Why `source` does not compile, if it does not. Nothing is run."""
    if isinstance(source, str) and len(source) > _LARGE and not _survives(source):
        return _broken(1, _TOO_MUCH)
    try:
        if isinstance(source, str):
            body = _parsed_below(source, _MARGIN)
            if "finally" in source and _copied(body) > _MOST_COPIED:
                return _broken(1, _TOO_MUCH)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<cell>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        return _broken(error.lineno or 1, error.msg)
    except (ValueError, RecursionError, MemoryError, OverflowError):  # ValueError: a null byte, before 3.11.4
        return _broken(1, "it is nested too deeply or holds a null byte")
    return None


def _parsed_below(source: str, calls: int) -> Sequence[ast.stmt]:
    """Parse it some calls further down than whoever does so later: what is nearly too deep fails here, not there."""
    return _parsed_below(source, calls - 1) if calls else statements_of(source)


def _copied(body: Sequence[ast.stmt]) -> int:
    """How many nodes CPython compiles again, at most: a `finally` is copied to each way out of its `try`.

    Nested in one another, a few lines of them fill any memory.
    """
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = [*body]
    while waiting:  # no recursion: it may be deep
        nodes.append(node := waiting.pop())
        waiting += ast.iter_child_nodes(node)
    sizes: dict[ast.AST, int] = {}  # of what is compiled
    exits: dict[ast.AST, int] = {}  # ways out of a block: return, break, continue
    for node in reversed(nodes):  # inner ones first
        below = list(ast.iter_child_nodes(node))
        last = getattr(node, "finalbody", [])
        ends = set(last)
        own = 1 + sum(sizes[child] for child in below if child not in ends)
        out = sum(exits[child] for child in below if child not in ends)
        copies = out + 2  # and one for each of going on and an exception
        sizes[node] = min(own + copies * sum(sizes[child] for child in last), _ENDLESS)
        out = min(out + copies * sum(exits[child] for child in last), _ENDLESS)
        is_scope = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        exits[node] = 0 if is_scope else out + isinstance(node, ast.Return | ast.Break | ast.Continue)
    return sum(sizes[node] for node in body) - len(nodes)


def _broken(line: int, why: str) -> _Trouble:
    return _Trouble(line, f"does not parse: {why}", broken=True)


def _survives(source: str) -> bool:
    """Whether an interpreter of its own lives through compiling `source`, which is not run.

    Some code of a megabyte crashes CPython's compiler or keeps it busy for minutes; that must not take the grader.
    """
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _TRIAL]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode in (0, 1)  # 1: it does not compile, and the exception says why


def _dedent(lines: list[str], first: int) -> bool:
    """Take the first line's indentation from every line, as IPython does with code pasted from a function."""
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    lines[:] = [line.removeprefix(indent) for line in lines]
    return bool(indent)


def _blank_magic(lines: list[str], index: int) -> bool:
    """Put `pass` where a magic stands at `index`, and where more of them follow; False when there is none."""
    start = index
    while index < len(lines) and _MAGIC.fullmatch(stripped := lines[index].strip()):
        indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
        timed = _TIMED.fullmatch(stripped)
        lines[index] = indent + (timed[1] if timed and _error(timed[1]) is None else "pass")
        while stripped.endswith("\\") and index + 1 < len(lines):
            index += 1
            stripped = lines[index].strip()
            lines[index] = ""
        index += 1
        if index < len(lines) and lines[index].lstrip()[:1] not in ("%", "!"):
            break
    return index > start


def _without_await(source: str) -> tuple[str, _Trouble] | None:
    """A cell that Jupyter runs and a module does not: only the statements that wait at the top level go."""
    if _error(source, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT) is not None:
        return None
    own = [(_error(ast.Module([node], [])) is None, node) for node in statements_of(source)]
    first = next((node.lineno for keep, node in own if not keep), 1)
    kept = "\n".join(kept_lines(source, own)) + "\n"  # a backslash needs a line below it
    return kept, _Trouble(first, "uses await at the top level")


def _percent_cells(text: str) -> Iterator[tuple[int, str]]:
    """The cells of a percent script, (lines above, source); text cells are left out."""
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if _PERCENT.fullmatch(line)]
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        mark = lines[start] if start in starts else ""
        source = "\n".join(["" if mark else lines[start], *lines[start + 1 : end]])  # so that a magic stands first
        if source.strip() and not re.search(r"\[(markdown|md|raw)\]", mark):
            yield start, source


def _statements(source: str, budget: list[int]) -> Iterator[tuple[int, str, _Trouble | None]]:
    """The top-level statements of code that does not parse, each with the lines above it and its own trouble.

    `budget` holds how many characters may still be parsed for that, in the whole file.
    """
    lines = source.split("\n")
    starts = [i for i in range(1, len(lines)) if not (_NO_START.match(lines[i]) or lines[i - 1].startswith("@"))]
    starts = [0, *starts, len(lines)]
    index = 0
    while index < len(starts) - 1 and budget[0] > 0:
        start, error = starts[index], None
        for end in range(index + 1, min(index + _MOST_JOINED, len(starts))):
            piece = "\n".join(lines[start : starts[end]])
            budget[0] -= len(piece) + 1_000
            found = _error(piece)
            error = error or found
            if found is None:
                break
        if found is None:
            yield start, piece, None
            index = end
        else:
            yield start, "", error
            index += 1
    if index < len(starts) - 1:
        yield starts[index], "", _broken(1, "too much is broken from here on")
