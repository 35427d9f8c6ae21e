"""`ptqlab start DIR`: the exercises and data of an installed kit, as a working folder of the student's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from autograder.records import Exercise, PtqlabError

_LITTER = {"__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".DS_Store", "experiments.jsonl"}


def unpack(target: Path, exercises: Sequence[Exercise]) -> tuple[list[Path], list[Path]]:
    """Copy these exercises and the data to `target`; returns (written, left as they were).

    A file that is there is never changed: it may hold a student's work. Raises PtqlabError when `target` is a file.
    """
    if target.exists() and not target.is_dir():
        raise PtqlabError(f"Expected a folder to work in, but {target} is a file; give another name.")
    course = exercises[0].folder.parent.parent
    if target.resolve() == course:
        raise PtqlabError(
            f"Expected a folder of your own, but {target} is where the kit itself lies; give another one."
        )
    written: list[Path] = []
    kept: list[Path] = []
    for path in _shipped([*(exercise.folder for exercise in exercises), course / "datasets"]):
        place = target / path.relative_to(course)
        (kept if place.exists() else written).append(place)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    return written, kept


def _shipped(folders: Sequence[Path]) -> Iterator[Path]:
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if path.is_file() and not path.is_symlink() and not _LITTER.intersection(path.parts):
            yield path
