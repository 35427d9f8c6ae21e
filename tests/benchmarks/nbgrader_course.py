"""An nbgrader course that is equivalent to an exercise: the same code, the same tests, the same points.

A notebook holds the student's code cells, and after them a locked test cell for each task, in place of the kit's
`check` cells.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cost
import nbformat
from direct_tests import Verdicts

from autograder.records import Exercise

NBGRADER = Path(sys.executable).with_name("nbgrader")
ASSIGNMENT = "lab"
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "benchmark"
c.CourseDirectory.root = {root!r}
c.ExecutePreprocessor.timeout = 300
"""
TEST_CELL = """
import sys
sys.path.insert(0, {helpers!r})
import direct_tests
direct_tests.check_in_cell({folder!r}, {solutions!r}, {task!r}, globals())
"""


def environment(home: Path, course: Path) -> dict[str, str]:
    """The environment of every command that is compared: one thread each, nothing of the user's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PYTEST", "PTQLAB"))}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # nbgrader calls alembic
    found = {"PTQLAB_COURSE": str(course), "PTQLAB_DATASETS": str(course / "datasets")}
    return kept | threads | found | {"PATH": path, "HOME": str(home), "COLUMNS": "200"}


def build(
    root: Path, exercise: Exercise, classes: Mapping[str, Sequence[str]], code_cells: int, settings: Mapping[str, str]
) -> None:
    """Make the course in `root`: source, release, gradebook, and every student's submission.

    `classes` has the code of each student's cells; those beyond the first `code_cells` are cells that they added.
    """
    _write(root / "nbgrader_config.py", CONFIG.format(root=str(root)))
    source = root / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    _write(source, nbformat.writes(_notebook(exercise, code_cells)))
    cost.run([NBGRADER, "generate_assignment", ASSIGNMENT, "--log-level=ERROR"], root, settings)
    for student, codes in classes.items():
        book = nbformat.read(root / "release" / ASSIGNMENT / source.name, as_version=4)
        for cell, code in zip(book.cells, codes[:code_cells], strict=False):
            cell.source = code
        book.cells[code_cells:code_cells] = [nbformat.v4.new_code_cell(code) for code in codes[code_cells:]]
        _write(root / "submitted" / student / ASSIGNMENT / source.name, nbformat.writes(book))


def autograde(root: Path, settings: Mapping[str, str], student: str | None = None) -> cost.Cost:
    """Run `nbgrader autograde` on one student, or once for the whole class."""
    only = ["--student", student] if student else []
    return cost.run([NBGRADER, "autograde", ASSIGNMENT, *only, "--log-level=ERROR"], root, settings)[0]


def verdicts(root: Path, student: str) -> Verdicts:
    """Each test's verdict, as the autograded notebook's test cells printed it; every other cell must have worked."""
    book = nbformat.read(root / "autograded" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    found: Verdicts = {}
    for cell in book.cells:
        outputs = cell.get("outputs", [])
        if cell.metadata.get("nbgrader", {}).get("grade"):
            found |= json.loads("".join(output["text"] for output in outputs if output.get("name") == "stdout"))
        elif errors := [output for output in outputs if output.output_type == "error"]:
            raise SystemExit(
                f"expected {student}'s cells to work in nbgrader, got {errors[0].evalue} from:\n{cell.source}"
            )
    return found


def score(root: Path, student: str) -> float:
    """The points that stand in nbgrader's gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root}/gradebook.db", course_id="benchmark") as book:
        return float(book.find_submission(ASSIGNMENT, student).score)


def _notebook(exercise: Exercise, code_cells: int) -> nbformat.NotebookNode:
    answer = "### BEGIN SOLUTION\nanswer = 1\n### END SOLUTION"
    cells = [_cell(f"code-{number}", answer, solution=True) for number in range(code_cells)]
    for task in exercise.tasks:
        text = TEST_CELL.format(
            helpers=str(Path(__file__).parent),
            folder=str(exercise.folder),
            solutions=str(exercise.folder.parents[1] / "solutions"),
            task=task.id,
        )
        cells.append(_cell(f"task-{task.id.replace('.', '-')}", text.strip(), points=task.points))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def _cell(name: str, text: str, solution: bool = False, points: float = 0) -> nbformat.NotebookNode:
    about = {
        "grade_id": name,
        "grade": not solution,
        "solution": solution,
        "locked": not solution,
        "task": False,
        "schema_version": 3,
    }
    if not solution:
        about["points"] = points
    return nbformat.v4.new_code_cell(text, id=name, metadata={"nbgrader": about})


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
