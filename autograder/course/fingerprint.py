"""What a score was decided by, as one number: a report made with other tests, data or kit is out of date."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from autograder.records import Exercise

MANIFEST = "manifest.json"
NO_MATTER = ("report", "exports", "scaffold", "doctor")  # parts of the kit that no score depends on


@cache
def kit_version() -> str:
    """The version of ptqlab that is installed; looking it up takes milliseconds."""
    return version("ptqlab")


def tests_sha256(exercise: Exercise) -> str:
    """The fingerprint of what decides a score: tests, reference, data and kit."""
    return _fingerprint(exercise.folder, exercise.solution)


@cache
def _fingerprint(folder: Path, solution: Path | None) -> str:
    digest = hashlib.sha256()
    files = [folder / "test_public.py", folder.parent.parent / "datasets" / MANIFEST]
    if solution:
        files += [solution / "test_hidden.py", solution / "source.py", solution.parent / "held_back" / MANIFEST]
    package = Path(__file__).parents[1]
    for file in (*files, *sorted(f for f in package.rglob("*.py") if f.relative_to(package).parts[0] not in NO_MATTER)):
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()
