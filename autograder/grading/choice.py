"""Which of a student's several files for one exercise counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograder.records import Exercise
from autograder.sandbox import reading


def choose_notebook(paths: Sequence[Path], exercise: Exercise) -> Path | str:
    """Return the one of a submission's files that counts, or a sentence on why that cannot be told.

    A file counts when its code differs from what was handed out. When no file does, or all that do hold the same
    code, the first of them counts. A file that cannot be read counts as changed.
    """
    codes: dict[Path, str] = {}
    for path in paths if len(paths) > 1 else ():
        look = reading.look(path, [exercise]).look
        if look is None or not look.stub_of:
            codes[path] = look.code_sha256 if look else ""
    if len(set(codes.values())) > 1:
        names = " and ".join(f"{path.parent.name}/{path.name}" for path in codes)
        return f"Expected one file that differs from what was handed out, but {names} do; keep the one that counts."
    return next(iter(codes), paths[0])
