"""Two fingerprints of an exercise: of what decides how its tests end, and of what passing them is worth.

A submission whose outcomes were found with another first one is graded again; one that was scored with another second
one is scored again, and nothing is run. Titles, hints, comments and the notebook's text are in neither.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from autograder.records import Exercise, Provenance

MANIFEST = "manifest.json"
DECIDING = (
    "runtime",
    "submission",
    "sandbox",
    "testing",
    "lab/datasets.py",
    "lab/models.py",
    "lab/pretrained.py",
    "lab/rescaling",
    "grading/environment.py",
    "grading/grade.py",
    "grading/reference.py",
    "grading/replay.py",
)
"""The parts of the kit that decide how a test ends: rooms and modules."""
_PACKAGE = Path(__file__).parents[1]


@cache
def kit_version() -> str:
    """Return the version of ptqlab that is installed; looking it up takes milliseconds."""
    return version("ptqlab")


def provenance(exercise: Exercise, seed: int, device: str, isolation: str) -> Provenance:
    """Return what a score of this exercise, made here and now, is made with."""
    return Provenance(
        kit_version(), outcomes_sha256(exercise), points_sha256(exercise), seed, device, isolation, exercise.limits
    )


def outcomes_sha256(exercise: Exercise) -> str:
    """Return the fingerprint of tests (with their items), reference, data, limits, graded names, kit and torch."""
    graded = [(task.id, task.functions) for task in exercise.tasks]
    files = _files_sha256(exercise.folder, exercise.solution)
    return _sha256([files, graded, asdict(exercise.limits), version("torch")])


def points_sha256(exercise: Exercise) -> str:
    """Return the fingerprint of points, bonus and the rubric's shares."""
    return _sha256(
        [
            (task.id, task.points, task.bonus, [(item.item, item.share) for item in task.rubric])
            for task in exercise.tasks
        ]
    )


def _sha256(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@cache
def _files_sha256(folder: Path, solution: Path | None) -> str:
    digest = hashlib.sha256()
    for content in (*_exercise(folder, solution), *(file.read_bytes() for file in deciding_modules())):
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def _exercise(folder: Path, solution: Path | None) -> Iterator[bytes]:
    yield from (_statements(folder / name) for name in ("test_public.py", "checks.py"))
    yield _bytes(folder.parent.parent / "datasets" / MANIFEST)
    if solution:
        yield from (_statements(solution / name) for name in ("test_hidden.py", "checks.py", "source.py"))
        yield _bytes(solution.parent / "held_back" / MANIFEST)


def deciding_modules() -> list[Path]:
    """Return the files of the kit that `DECIDING` names."""
    named = (_PACKAGE / part for part in DECIDING)
    return sorted(file for part in named for file in ([part] if part.suffix else part.rglob("*.py")))


def _statements(path: Path) -> bytes:
    """Return what a module says, without comments and layout; its bytes where it does not parse."""
    content = _bytes(path)
    try:
        return ast.dump(ast.parse(content)).encode()
    except (SyntaxError, ValueError):
        return content


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
