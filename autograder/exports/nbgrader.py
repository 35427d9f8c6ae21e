"""An nbgrader folder: notebooks with cell metadata, public tests, settings. Nothing of solutions/ goes into it.

`nbgrader_reading` and `nbgrader_grading` hold what then runs inside nbgrader's own commands.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from autograder.records import Exercise, PtqlabError, Task

CONFIG = "nbgrader_config.py"
GRADES = "grades"  # reports, as `ptqlab grade --out` writes them, and the assignment's seed
SCHEMA = 3  # of nbgrader's cell metadata
_HERE = "autograder.exports.nbgrader"  # classes are named by strings: formgrader shows the configuration as JSON
_PUBLIC = ("exercise.toml", "test_public.py")  # what check() and pytest need beside a notebook

CellJson = dict[str, Any]


def init_folder(folder: Path, exercises: Sequence[Exercise], language: str = "en") -> tuple[list[Path], list[Path]]:
    """Make or complete an nbgrader folder, an assignment for each exercise; returns (written, left as they were).

    An assignment and its notebook are named like the exercise. A file that is there already is never changed.
    Raises PtqlabError when an exercise has no notebook in that language, or a task no cell in which to answer it.
    """
    from autograder.grading.assignment import assignment_seed  # noqa: PLC0415 - imports torch

    wanted = {folder / CONFIG: _settings(folder, exercises, language)}
    for exercise in exercises:
        assignment = folder / "source" / exercise.slug
        wanted[assignment / f"{exercise.slug}.ipynb"] = source_notebook(exercise, language)
        wanted |= {assignment / name: (exercise.folder / name).read_text(encoding="utf-8") for name in _PUBLIC}
    kept = [path for path in wanted if path.exists()]
    written = [path for path in wanted if path not in kept]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8", newline="\n")
    assignment_seed(folder / GRADES, None, language)
    return written, kept


def _settings(folder: Path, exercises: Sequence[Exercise], language: str) -> str:
    """The text of nbgrader_config.py."""
    text = (resources.files("autograder.exports") / "templates" / f"{CONFIG}.in").read_text(encoding="utf-8")
    course = exercises[0].folder.parent.parent
    solutions = next((e.solution.parent for e in exercises if e.solution), course / "solutions")
    name = re.sub(r"[^\w-]+", "-", folder.resolve().name).strip("-") or "ptq"
    words = {
        "course_id": name,
        "exercises": exercises[0].folder.parent,
        "solutions": solutions.resolve(),
        "language": language,
    }
    return Template(text).substitute({key: repr(str(value)) for key, value in words.items()})


def configure(config: Any, exercises: str, solutions: str, language: str = "en") -> None:
    """Put ptqlab's grading in place of nbgrader's Execute step; called by nbgrader_config.py."""
    # nbgrader 0.9.6 on SQLAlchemy 2.1 says so of every new submission, and it means nothing
    warnings.filterwarnings("ignore", "Object of type <Submitted.* not in session")
    theirs, reading, grading = "nbgrader.preprocessors.", f"{_HERE}_reading.Ptqlab", f"{_HERE}_grading.Ptqlab"
    config.PtqlabGrade.exercises, config.PtqlabGrade.solutions = exercises, solutions
    config.PtqlabGrade.language = language
    config.GenerateAssignment.preprocessors = [
        f"{theirs}IncludeHeaderFooter",
        f"{theirs}InstantiateTests",
        f"{theirs}LockCells",
        f"{grading}KeepStubs",
        f"{theirs}ClearOutput",
        f"{theirs}CheckCellMetadata",
        f"{theirs}ComputeChecksums",
        f"{theirs}SaveCells",
        f"{theirs}ClearHiddenTests",
        f"{theirs}ClearMarkScheme",
        f"{theirs}ComputeChecksums",
        f"{theirs}CheckCellMetadata",
    ]
    config.ExportApp.plugin_class = f"{_HERE}_export.PtqlabCsv"
    config.Autograde.exporter_class = f"{reading}Reader"
    config.Autograde.sanitize_preprocessors = [
        f"{reading}Restore",
        f"{reading}Harmless",
        f"{theirs}OverwriteKernelspec",
        f"{theirs}CheckCellMetadata",
    ]
    config.Autograde.autograde_preprocessors = [
        f"{reading}Restore",  # the reader has taken all metadata away again
        f"{grading}Grade",
        f"{theirs}AssignLatePenalties",
        f"{theirs}CheckCellMetadata",
    ]


# --- notebooks ----------------------------------------------------------------------------------


def source_notebook(exercise: Exercise, language: str = "en") -> str:
    """The students' notebook (JSON text) with nbgrader's cell metadata: a test cell a task, worth the task's points.

    A bonus task's cell is worth 0, so that what it earns comes on top.
    """
    suffix = "" if language == "en" else f".{language}"
    path = exercise.folder / f"{exercise.slug}{suffix}.ipynb"
    if not path.is_file():
        raise PtqlabError(f"Expected {path.name} in {exercise.slug}; run `ptqlab build` to write it.")
    book = json.loads(path.read_text(encoding="utf-8"))
    cells = _with_tests(exercise, book["cells"])
    answers = {name: task for task in exercise.tasks for name in task.functions}
    seen: dict[str, int] = {}
    for cell in cells:
        task = _tested(cell, exercise.tasks) or _answered(cell, answers)
        if task is not None:
            _mark(cell, task, seen, is_test=_tested(cell, exercise.tasks) is not None)
    return json.dumps(book | {"cells": cells}, ensure_ascii=False, indent=1) + "\n"


def graded_cell_id(task_id: str) -> str:
    """The nbgrader id of a task's test cell: `task-1-1`."""
    return f"task-{task_id.replace('.', '-')}"


def _with_tests(exercise: Exercise, cells: Sequence[CellJson]) -> list[CellJson]:
    """The cells, and a test cell behind the last answer of each task that has none."""
    cells = list(cells)
    for task in exercise.tasks:
        names = dict.fromkeys(task.functions, task)
        if _last(cells, lambda cell, task=task: _tested(cell, (task,)) is not None) >= 0:  # type: ignore[misc]
            continue
        place = _last(cells, lambda cell, names=names: _answered(cell, names) is not None)  # type: ignore[misc]
        if place < 0:
            raise PtqlabError(f"Expected a cell that defines {task.functions[0]} in the notebook of {exercise.slug}.")
        test: CellJson = {
            "cell_type": "code",
            "id": f"check-{task.id.replace('.', '-')}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": [f'check("{task.id}")'],
        }
        cells.insert(place + 1, test)
    return cells


def _last(cells: Sequence[CellJson], wanted: Callable[[CellJson], bool]) -> int:
    return max((place for place, cell in enumerate(cells) if wanted(cell)), default=-1)


def _tested(cell: CellJson, tasks: Sequence[Task]) -> Task | None:
    """The task that a cell checks, and does nothing else."""
    text = "".join(cell["source"]).strip()
    found = (task for task in tasks if re.fullmatch(rf"check\(\s*['\"]{re.escape(task.id)}['\"]\s*\)", text))
    return next(found, None) if cell["cell_type"] == "code" else None


def _answered(cell: CellJson, answers: Mapping[str, Task]) -> Task | None:
    """The task whose function or class a cell defines."""
    if cell["cell_type"] != "code":
        return None
    text = "".join(cell["source"])
    return next((answers[name] for name in answers if re.search(rf"^(def|class) {name}\b", text, re.M)), None)


def _mark(cell: CellJson, task: Task, seen: dict[str, int], is_test: bool) -> None:
    name = graded_cell_id(task.id) if is_test else graded_cell_id(task.id).replace("task", "answer")
    seen[name] = seen.get(name, 0) + 1
    if is_test and seen[name] > 1:  # the first one carries the points
        return
    about: CellJson = {"grade": is_test, "solution": not is_test, "locked": is_test, "task": False}
    about |= {"grade_id": name if seen[name] == 1 else f"{name}-{seen[name]}", "schema_version": SCHEMA}
    if is_test:
        about["points"] = 0 if task.bonus else task.points
    cell["metadata"] = cell["metadata"] | {"nbgrader": about, "ptqlab": {"task": task.id}}
