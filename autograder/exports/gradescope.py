"""Gradescope: the autograder.zip of one exercise, and a report as results.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from autograder.course.wheel import build_wheel, zipped
from autograder.records import Exercise, Outcome, PtqlabError, Report, Status, TaskScore
from autograder.report.text import LINE_LIMIT, MESSAGE_LIMIT, clip, in_language, one_line, visible

VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
SETTINGS_FILE = "ptqlab.json"
_LITTER = {"__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".DS_Store", "mutants", "variants", "design.md"}

Json = dict[str, Any]


def autograder_zip(
    exercise: Exercise,
    seed: int,
    *,
    hidden: str = "after_published",
    language: str = "en",
    isolation: str = "auto",
    pip: str = "",
) -> bytes:
    """The zip that an instructor uploads to a programming assignment: the kit, the exercise, its hidden tests, data.

    `seed` gives every submission the same inputs; `hidden` says when students see hidden tests; `pip` holds further
    arguments for pip when Gradescope builds the image. Raises PtqlabError when the hidden tests are not there.
    """
    if exercise.solution is None:
        raise PtqlabError(f"Expected the hidden tests of {exercise.slug} in solutions/; give --solutions.")
    if hidden not in VISIBILITIES:
        raise PtqlabError(f"Expected a visibility that Gradescope knows ({', '.join(VISIBILITIES)}), got {hidden!r}.")
    name, wheel = build_wheel()
    root = exercise.folder.parent.parent
    settings = {"exercise": exercise.slug, "seed": seed, "hidden": hidden, "language": language, "isolation": isolation}
    templates = resources.files("autograder.exports") / "templates"
    setup = Template((templates / "setup.sh.in").read_text(encoding="utf-8")).substitute(wheel=name, pip=pip)
    pins = root / "constraints.txt"
    files = {
        "setup.sh": setup.encode(),
        "run_autograder": (templates / "run_autograder").read_bytes(),
        "constraints.txt": pins.read_bytes() if pins.is_file() else b"",
        SETTINGS_FILE: (json.dumps(settings, indent=1) + "\n").encode(),
        name: wheel,
        **_files(exercise.folder, f"exercises/{exercise.slug}"),
        **_hidden(exercise.solution),
        **_files(root / "datasets", "datasets"),
    }
    return zipped(files, executable=("setup.sh", "run_autograder"))


def _hidden(solution: Path) -> dict[str, bytes]:
    """The exercise's own folder, and what all exercises share: data that students never get."""
    shared = [path for path in solution.parent.iterdir() if path.is_dir() and not (path / "source.py").is_file()]
    folders = {path.name: _files(path, f"solutions/{path.name}") for path in (solution, *shared)}
    return {name: data for files in folders.values() for name, data in files.items()}


def _files(folder: Path, name: str) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    kept = (path for path in paths if not _LITTER.intersection(path.relative_to(folder).parts))
    return {f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in kept}


# --- results.json ---------------------------------------------------------------------------------


def results(report: Report, hidden: str = "after_published", language: str = "en") -> Json:
    """What Gradescope shows: a scored entry for each task, and below it one for each test, which carries no score.

    Raises PtqlabError when the score is withheld: without a results.json Gradescope tells the student to ask the staff.
    """
    if report.earned is None:
        raise PtqlabError(f"The score is withheld: {report.reason}")
    entries = [entry for task in report.tasks for entry in _entries(task, hidden, language)]
    return {
        "score": report.earned,
        "execution_time": round(report.duration_s),
        "output": "\n".join(visible(clip(line)) for line in (report.reason, *report.notes) if line),
        "output_format": "text",
        "test_name_format": "text",
        "test_output_format": "text",
        "stdout_visibility": "hidden",
        "tests": entries,
    }


def _entries(task: TaskScore, hidden: str, language: str) -> Iterator[Json]:
    hint = visible(in_language(task.hint, language)) if task.status not in ("full", "missing") else ""
    yield {
        "number": task.id,
        "name": one_line(in_language(task.title, language)),
        "score": task.earned,
        "max_score": 0.0 if task.bonus else task.points,
        "status": "passed" if task.status == "full" else "failed",
        "output": hint,
        "visibility": "visible",
    }
    for place, test in enumerate(task.tests, start=1):
        yield _entry(test, f"{task.id}.{place}", hidden, language)


def _entry(test: Outcome, number: str, hidden: str, language: str) -> Json:
    hint = in_language(test.hint, language) if test.status is not Status.PASSED else ""
    return {
        "number": number,
        "name": one_line(test.claim or test.test, LINE_LIMIT),
        "status": "passed" if test.status is Status.PASSED else "failed",
        "output": "\n".join(visible(clip(text, MESSAGE_LIMIT)) for text in (test.message, hint) if text),
        "tags": [test.item, test.status.value],
        "visibility": hidden if test.hidden else "visible",
    }
