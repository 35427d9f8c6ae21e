"""A submission's code in the form in which a class's code is compared; no names, comments or strings are left in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from autograder.grading import similarity
from autograder.records import Exercise
from autograder.runtime.process_state import STATE
from autograder.submission.notebook import UnreadableError, _sources, read_bytes


@dataclass(frozen=True)
class Code:
    """A submission's code as it is compared, and the sha256 of the file that it was made from."""

    sha256: str
    fingerprint: str


def code_of(exercise: Exercise, path: Path, data: bytes | None = None) -> Code:
    """Return the code of a submission; `data` is the file's content, where it has been read already."""
    cells, sha256 = _cells(path, data)
    return Code(sha256, similarity.fingerprint(cells, _handed_out(exercise.folder)))


def comparable_code(exercise: Exercise, path: Path, data: bytes | None = None) -> Code:
    """Return the same as `code_of`; code that can't be compared is empty, and costs nobody a score or the page."""
    try:
        return code_of(exercise, path, data)
    except Exception:
        return Code("", "")


def _cells(path: Path, data: bytes | None = None) -> tuple[list[str], str]:
    """Return a notebook's code cells, or a script's text, as the grader reads them, and the file's sha256."""
    try:
        data = read_bytes(path) if data is None else data
        return _sources(path.name, data), hashlib.sha256(data).hexdigest()
    except UnreadableError:
        return [], ""


@STATE.keep(8)
def _handed_out(exercise: Path) -> frozenset[str]:
    """Return the definitions that everybody has, because they stand in the notebooks as handed out."""
    notebooks = sorted(exercise.glob("*.ipynb"))
    return frozenset(code for notebook in notebooks for _, code in similarity.definitions(_cells(notebook)[0]))
