"""One file -> Submission: a notebook or a script, read with suspicion and cut down to what is graded."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder.records import Exercise, Submission
from autograder.submission.cells import Parsed, parse_notebook, parse_script
from autograder.submission.pieces import statements_of
from autograder.submission.slicing import slice_cells

_MOST_FILE_BYTES = 50_000_000  # outputs included: plots make notebooks large
_MOST_SOURCE_BYTES = 1_000_000  # code alone
_MOST_STATEMENTS = 5_000  # at the top level; a long notebook has some hundred
_MOST_NOTES = 20
_NO_TEXT = "# this cell held no text\n"
_LONGEST_NOTE = 500  # characters
_AGAIN = "save it again and hand it in again."


class UnreadableError(Exception):
    """Why a file is no submission, as one sentence for the student."""


def read_submission(
    path: Path, exercise: Exercise, student: str, stubs: Sequence[str] = (), data: bytes | None = None
) -> Submission:
    """Return what `student` handed in at `path` (.ipynb or .py), cut down to what the graded names need.

    Never raises for what the file holds: `problem` then says in a sentence why nothing can be graded.
    `stubs` is the code of the notebooks as handed out (`stub_code`); a note tells who has changed nothing.
    `data` is the file's content, for who has read it already (`read_bytes`).
    """
    sha256 = ""
    try:
        data = read_bytes(path) if data is None else data
        sha256 = hashlib.sha256(data).hexdigest()
        sources = _sources(path.name, data)
        cells, notes = _parsed(path.name, sources)
    except UnreadableError as error:
        return Submission(student, exercise.slug, "", sha256, problem=str(error))
    found = slice_cells(cells, exercise.functions)
    notes = (*_remarks(path.name, sources, stubs), *_first(notes), *_left_out(found.dropped))
    return Submission(student, exercise.slug, found.source, sha256, notes=notes)


def choose_notebook(paths: Sequence[Path], stubs: Sequence[str]) -> Path | str:
    """Return the one of a submission's files that counts, or a sentence on why that cannot be told.

    A file counts when its code differs from that of every stub (see `stub_code`). When no file does, or all that
    do hold the same code, the first of them counts. A file that cannot be read counts as changed.
    """
    codes = {path: _code_of(path) for path in paths}
    changed = [path for path in paths if codes[path] not in stubs]
    if len({codes[path] for path in changed}) > 1:
        names = " and ".join(f"{path.parent.name}/{path.name}" for path in changed)
        return f"Expected one file that differs from what was handed out, but {names} do; keep the one that counts."
    return (changed or list(paths))[0]


def stub_code(exercise: Exercise) -> tuple[str, ...]:
    """Return the code of the exercise's notebooks as they are handed out, one text for each that is there."""
    codes = (_code_of(path) for path in sorted(exercise.folder.glob("*.ipynb")))
    return tuple(sorted({code for code in codes if code is not None}))


def _code_of(path: Path) -> str | None:
    try:
        return _joined(_sources(path.name, read_bytes(path)))
    except UnreadableError:
        return None


def _joined(sources: Sequence[str]) -> str:
    """Code as it is compared: blank cells and the space at the ends of cells do not count."""
    return "\n\n".join(source.strip() for source in sources if source.strip())


def read_bytes(path: Path) -> bytes:
    """The file's bytes; UnreadableError for links, pipes and devices, and for what is too large to be a notebook."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):  # whichever the system knows
        flags |= getattr(os, name, 0)
    try:
        if path.is_symlink():
            raise UnreadableError(f"{path.name} is a symbolic link, which is not followed; hand in the file itself.")
        descriptor = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError(f"{path.name} is not a file; hand in a notebook (.ipynb) or a script (.py).")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(_MOST_FILE_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UnreadableError(f"{path.name} cannot be read ({error.strerror}); hand it in again.") from None
    if len(data) > _MOST_FILE_BYTES:
        limit = f"{_MOST_FILE_BYTES // 1_000_000} MB"
        raise UnreadableError(f"{path.name} is larger than {limit}; clear its outputs, {_AGAIN}")
    return data


def _sources(name: str, data: bytes) -> list[str]:
    """The code cells of a notebook, or the one text of a script."""
    if not data.strip():
        raise UnreadableError(f"{name} is empty ({len(data)} bytes); {_AGAIN}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8 and hand it in again."
        ) from None
    suffix = Path(name).suffix.lower()
    if suffix not in (".ipynb", ".py"):
        raise UnreadableError(f"Expected a notebook (.ipynb) or a script (.py), but {name} came; hand in one of them.")
    sources = [text] if suffix == ".py" else _code_cells(name, text)
    if len(sources) > _MOST_STATEMENTS:
        limit = f"at most {_MOST_STATEMENTS:,} are graded; remove what no task needs."
        raise UnreadableError(f"{name} has {len(sources):,} code cells, but {limit}")
    size = sum(len(source.encode("utf-8", "replace")) for source in sources)
    if size > _MOST_SOURCE_BYTES:
        limit = f"at most {_MOST_SOURCE_BYTES:,} are graded; remove what no task needs."
        raise UnreadableError(f"{name} holds {size:,} bytes of code, but {limit}")
    return sources


def _code_cells(name: str, text: str) -> list[str]:
    """The code of a notebook's cells, nbformat 4 (`cells`, `source`) or 3 (`worksheets`, `input`)."""
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        came = f"line {error.lineno} is not valid JSON ({error.msg})"
        raise UnreadableError(f"{name} is no notebook: {came}; {_AGAIN}") from None
    except (ValueError, RecursionError, MemoryError):
        raise UnreadableError(f"{name} is no notebook: its JSON is too deep or a number too long; {_AGAIN}") from None
    cells = _cells(notebook)
    if cells is None:
        raise UnreadableError(f"{name} is JSON, but no notebook: it has no list of cells; {_AGAIN}")
    return [_text(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]


def _cells(notebook: Any) -> list[Any] | None:
    if not isinstance(notebook, dict):
        return None
    if isinstance(notebook.get("cells"), list):
        return list(notebook["cells"])
    sheets = notebook.get("worksheets")
    if not isinstance(sheets, list):
        return None
    lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in lists if isinstance(cells, list) for cell in cells]


def _text(cell: dict[str, Any]) -> str:
    """A cell's source: a string or a list of lines (with their ends, or without)."""
    source = cell.get("source", cell.get("input"))
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return ("" if source and source[0].endswith("\n") else "\n").join(source)
    return source if isinstance(source, str) else _NO_TEXT


def _parsed(name: str, sources: Sequence[str]) -> Parsed:
    cells, notes = parse_script(sources[0]) if name.lower().endswith(".py") else parse_notebook(sources)
    count = sum(len(statements_of(cell.source)) for cell in cells)
    if count > _MOST_STATEMENTS:
        limit = f"at most {_MOST_STATEMENTS:,} are graded; remove what no task needs."
        raise UnreadableError(f"{name} has {count:,} statements at the top level, but {limit}")
    return cells, notes


def _remarks(name: str, sources: Sequence[str], stubs: Sequence[str]) -> tuple[str, ...]:
    """What is remarkable about a submission's code as a whole."""
    if not any(source.strip() for source in sources):
        return (f"{name} holds no code.",)
    if _joined(sources) in stubs:
        return ("The code is as it was handed out: nothing has been written yet.",)
    textless = sources.count(_NO_TEXT)
    return (f"{textless} code cells hold no text and were left out.",) if textless else ()


def _first(notes: tuple[str, ...]) -> tuple[str, ...]:
    more = len(notes) - _MOST_NOTES
    return notes if more <= 0 else (*notes[:_MOST_NOTES], f"… and {more} more cells or statements that do not parse.")


def _left_out(dropped: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """One sentence on the statements that are not run: plots, experiments, checks."""
    lines: dict[str, list[int]] = {}  # cell -> lines; a script is one cell without a name
    for place, _ in dropped:
        cell, _, line = place.rpartition("line ")
        lines.setdefault(cell, []).append(int(line))
    text = "; ".join(f"{cell}{_in_words(own)}" for cell, own in lines.items())
    text = text if len(text) <= _LONGEST_NOTE else f"{text[:_LONGEST_NOTE]} …"
    return (f"Not run, since no graded function depends on it: {text}.",) if text else ()


def _in_words(lines: Sequence[int]) -> str:
    """Say "line 4" or "lines 1–3, 7" of ascending numbers."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line <= runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    text = ", ".join(f"{run[0]}–{run[-1]}" if run[-1] > run[0] else f"{run[0]}" for run in runs)
    return f"line {text}" if text.isdigit() else f"lines {text}"
