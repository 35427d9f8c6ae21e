"""How `nbgrader autograde` scores: ptqlab's report decides. No student code runs in nbgrader's process or in a kernel.

Steps that `nbgrader.configure` puts into nbgrader's lists, and what nbgrader_config.py may name.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import atexit
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import ClearSolutions, SaveAutoGrades
from traitlets import Enum, Float, Unicode

from autograder.exports.nbgrader import GRADES, graded_cell_id
from autograder.grading.choice import choose_notebook
from autograder.grading.found import Found
from autograder.pool.executor import GraderPool
from autograder.records import Exercise, PtqlabError, Report, Settings, TaskScore

Result = tuple[NotebookNode, Any]


class PtqlabKeepStubs(ClearSolutions):  # type: ignore[misc]
    """nbgrader's ClearSolutions, which leaves our answer cells alone: they hold stubs and never held a solution."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> Result:
        """Clear a cell of the instructor's own as nbgrader does."""
        if "ptqlab" in cell.metadata and self.begin_solution_delimeter not in cell.source:
            return cell, resources
        cleared: Result = super().preprocess_cell(cell, resources, cell_index)
        return cleared


class PtqlabGrade(SaveAutoGrades):  # type: ignore[misc]
    """Grades the submitted file as `ptqlab grade` does, and writes each task's points into the gradebook.

    A manual score, a comment and extra credit stay as they are. A withheld score is left empty and marked for a person.
    """

    exercises = Unicode(help="The folder exercises/.").tag(config=True)
    solutions = Unicode(help="The folder solutions/ with the hidden tests.").tag(config=True)
    language = Unicode("en", help="Of what students read: en or zh-TW.").tag(config=True)
    device = Enum(("auto", "cpu", "cuda"), "auto", help="As in `ptqlab grade --device`.").tag(config=True)
    isolation = Enum(("auto", "none"), "auto", help="As in `ptqlab grade --isolation`.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> Result:
        """Grade the submission, then go through the cells."""
        self.report = self._report(resources["nbgrader"])
        tasks = self.report.tasks if self.report else ()
        self.tasks: dict[str, TaskScore] = {graded_cell_id(task.id): task for task in tasks}
        done: Result = super().preprocess(nb, resources)
        return done

    def _report(self, names: Mapping[str, str]) -> Report | None:
        """The report on the submitted file, or None when the notebook is none of ptqlab's exercises."""
        exercise = next((e for e in _catalog(self.exercises, self.solutions) if e.slug == names["notebook"]), None)
        if exercise is None:
            self.log.warning("%s is no exercise of ptqlab: its cells are left for a person.", names["notebook"])
            return None
        paths = self.parent.parent.coursedir
        handed_in = paths.format_path(paths.submitted_directory, names["student"], names["assignment"])
        return grade_one(
            Path(handed_in), names["student"], exercise, Path(paths.root), self.device, self.isolation, self.language
        )

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        """Write a cell's score: ours for a task, nbgrader's for an answer that a person reads, none for anything
        else.
        """
        name = cell.metadata.nbgrader["grade_id"]
        grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        grade.auto_score = self._score(name, cell)
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        self.gradebook.db.commit()

    def _score(self, name: str, cell: NotebookNode) -> float | None:
        if name in self.tasks:
            return None if self.report is None or self.report.earned is None else self.tasks[name].earned
        return utils.determine_grade(cell, self.log)[0] if utils.is_solution(cell) else None

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> Result:
        """Put what the student is told about a task below its test cell."""
        task = self.tasks.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        if task is not None and self.report is not None:
            cell.outputs = [new_output("display_data", _shown(self.report, task, self.language))]
        done: Result = super().preprocess_cell(cell, resources, cell_index)
        return done


def grade_one(
    handed_in: Path, student: str, exercise: Exercise, folder: Path, device: str, isolation: str, language: str
) -> Report:
    """Grade what one student handed in, a folder, as `ptqlab grade` does; keep the report in the nbgrader folder.

    What has been graded by the same kit, tests and seed is not run again.
    """
    from autograder.grading.assignment import assignment_seed  # noqa: PLC0415
    from autograder.grading.batch import grade_class  # noqa: PLC0415

    settings = Settings(assignment_seed(folder / GRADES, None, language), device, isolation, language)
    submission = _found(handed_in, student, exercise)
    return grade_class([submission], [exercise], settings, folder / GRADES, root=folder, pool=_pool())[0]


def _found(folder: Path, student: str, exercise: Exercise) -> Found:
    """The one file that counts, of those named like the exercise, as `ptqlab grade` chooses it."""
    names = (f"{exercise.slug}{suffix}" for suffix in (".ipynb", ".zh-TW.ipynb", ".py"))
    paths = [folder / name for name in names if (folder / name).is_file()]
    chosen = choose_notebook(paths, exercise)
    if isinstance(chosen, str):
        return Found(student, exercise.slug, None, chosen, withheld=True)
    return Found(student, exercise.slug, chosen)


def _catalog(exercises: str, solutions: str) -> Sequence[Exercise]:
    from autograder.course.catalog import find_exercises  # noqa: PLC0415

    found = find_exercises(Path(exercises), Path(solutions))
    if all(exercise.solution is None for exercise in found):
        raise PtqlabError(
            f"Expected the hidden tests in {solutions}; they are not there. Mend `solutions=` in nbgrader_config.py."
        )
    return found


@cache
def _pool() -> GraderPool:
    """One grading process for a whole class, beside nbgrader's own or formgrader's server."""
    pool = GraderPool(1)
    atexit.register(pool.shutdown)
    return pool


def _shown(report: Report, task: TaskScore, language: str) -> dict[str, str]:
    """A task's table as HTML and text; the lines below the table speak of check() and are left out."""
    from autograder.report.table import CheckResult, check_html, check_text  # noqa: PLC0415
    from autograder.report.text import as_html, visible  # noqa: PLC0415

    reason = report.reason if report.status in ("unreadable", "withheld") else ""
    if not task.tests:
        return {"text/plain": visible(reason), "text/html": f"<p>{as_html(reason)}</p>"}
    result = CheckResult((task,), language)
    html, text = check_html(result).partition('<p class="total">')[0] + "</div>", check_text(result)
    return {"text/html": html, "text/plain": "\n".join(text.rstrip().splitlines()[:-2]).rstrip()}


# --- late work --------------------------------------------------------------------------------------


class PtqlabLatePenalty(LateSubmissionPlugin):  # type: ignore[misc]
    """A share of what was earned for each day begun, after some minutes of grace."""

    percent_a_day = Float(10, min=0, max=100, help="Of the score, for each day begun.").tag(config=True)
    grace_minutes = Float(15, min=0, help="Minutes that cost nothing.").tag(config=True)

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float | None:
        """Points to take off; None when it is within the grace."""
        if total_seconds_late <= self.grace_minutes * 60:
            return None
        days = math.ceil(total_seconds_late / 86400)
        return round(score * min(1.0, days * self.percent_a_day / 100), 2)
