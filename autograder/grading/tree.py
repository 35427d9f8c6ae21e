"""The files below a class's folder: where each lies, and why one can't be looked at. Links are not followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.people import composed
from autograder.sandbox.unpacking import CODE, DEPTH, is_hidden

MOST_FILES = 200_000


@dataclass(frozen=True)
class Entry:
    """A file, or a folder that is empty or can't be entered, by its path below the class's folder.

    `problem`: why it can't be looked at; `is_fault`: that is the grader's own fault. An archive that was unpacked is
    a folder of its name.
    """

    parts: tuple[str, ...]
    path: Path | None = None
    problem: str = ""
    is_fault: bool = False
    is_folder: bool = False

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.parts[-1]

    def __str__(self) -> str:
        return "/".join(self.parts)


def entries(root: Path) -> Iterator[Entry]:
    """Yield every file below `root` in the order of names, hidden ones and those of programs left out.

    Raises OSError when `root` can't be listed.
    """
    for path in _listed(root):
        yield from _below(path, (readable(path.name),))


def _listed(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_hidden(path.name))


def _below(path: Path, parts: tuple[str, ...]) -> Iterator[Entry]:
    if path.is_symlink() or not path.is_dir():
        is_folder = path.is_symlink() and not path.name.lower().endswith(CODE)
        what = "the folder" if is_folder else "the file"
        problem = f"{parts[-1]} is a symbolic link, which is not followed; hand in {what} itself."
        yield Entry(parts, path, problem if path.is_symlink() else "", is_folder=is_folder)
        return
    if len(parts) > DEPTH:
        yield Entry(parts, None, f"{parts[-1]} lies more than {DEPTH} folders deep.", is_folder=True)
        return
    try:
        below = _listed(path)
    except OSError as error:
        problem = f"The folder {parts[-1]} cannot be read: {error.strerror}; mend its permissions."
        yield Entry(parts, None, problem, is_folder=True)
        return
    if not below:
        yield Entry(parts, None, is_folder=True)
    for each in below:
        yield from _below(each, (*parts, readable(each.name)))


def readable(name: str) -> str:
    """Return a name verbatim, but composed, and with the bytes that are no UTF-8 written out."""
    return composed(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def name_of(root: Path) -> str:
    """Return what a folder or a file is called, also where it is given as "."."""
    return readable(Path(os.path.abspath(root)).name)
