"""Positive control: each of the six tricks does beat nbgrader's own grading, so that resisting them counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from support import ROOT

TEST = "assert double(3.0) == 6.0\n### BEGIN HIDDEN TESTS\nassert double(918273.5) == 1836547.0\n### END HIDDEN TESTS"
SOLUTION = "def double(x):\n    ### BEGIN SOLUTION\n    return x * 2.0\n    ### END SOLUTION"


pytestmark = pytest.mark.proof  # a kernel for each submission


@pytest.fixture(scope="module")
def scores(make_course: Callable[..., Any], kit: Any) -> dict[str, float]:
    """What nbgrader as it comes gives for task 1.1, worth 4 points: asserts in a cell, hidden ones cut out of the release."""
    course = make_course("plain")
    config = f"c = get_config()\nc.CourseDirectory.root = {str(course.root)!r}\nc.CourseDirectory.course_id = 'plain'\n"
    (course.root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    book = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    )
    book.cells = [cell("answer-1-1", SOLUTION, 0), cell("task-1-1", TEST, 4)]
    nbformat.write(book, course.root / "source" / course.slug / f"{course.slug}.ipynb")
    course("generate_assignment", course.slug)
    for student, code in {**kit.TRICKS, "stub": kit.UNTOUCHED, "honest": kit.DOUBLE}.items():
        course.hand_in(student, course.answered(code))
    noisy = course.answered("import sys\ndef double(x):\n    print('noise', file=sys.stderr)\n    return 2 * x")
    course.hand_in("noisy", noisy)
    course("autograde", course.slug)
    found = {student: grades["task-1-1"] for student, grades in course.scores().items()}
    written = course.gradebook(lambda b: b.find_submission(course.slug, "writes_the_gradebook").score)
    return found | {"writes_the_gradebook": written}  # by hand, it says: for the whole class


def cell(name: str, text: str, points: int) -> nbformat.NotebookNode:
    about = {
        "grade_id": name,
        "grade": bool(points),
        "solution": not points,
        "locked": bool(points),
        "task": False,
        "schema_version": 3,
    } | ({"points": points} if points else {})
    return nbformat.v4.new_code_cell(text, metadata={"nbgrader": about})


def test_plain_nbgrader_grades_honest_work_as_it_should(scores: dict[str, float]) -> None:
    assert (scores["honest"], scores["stub"]) == (4, 0)


@pytest.mark.parametrize(
    "trick",
    ["reads_the_working_folder", "reads_source", "writes_the_gradebook", "equals_everything", "removes_asserts"],
)
def test_the_trick_gets_full_marks_from_plain_nbgrader(scores: dict[str, float], trick: str) -> None:
    assert scores[trick] == 4


def test_a_word_on_stderr_costs_an_honest_student_everything(scores: dict[str, float]) -> None:
    assert scores["noisy"] == 0


def test_every_lab_scores_the_same_in_nbgrader_and_in_ptqlab_grade(make_course: Callable[..., Any], kit: Any) -> None:
    """The labs of this clone: the reference and the stub of each, through nbgrader's own commands."""
    from autograder.course.catalog import find_exercises
    from autograder.course.notebooks import reference_notebook

    for exercise in find_exercises(ROOT):
        if exercise.solution is None or not (exercise.solution / "test_hidden.py").is_file():
            continue
        course = make_course(f"all-{exercise.slug.replace('_', '-')}", ROOT, exercise.slug)
        course("generate_assignment", exercise.slug)
        book = nbformat.read(course.root / "release" / exercise.slug / f"{exercise.slug}.ipynb", as_version=4)
        course.hand_in("stub", book)
        solved = json.loads(reference_notebook(exercise.solution / "source.py", "en"))
        course.hand_in("reference", json.dumps(solved))
        course("autograde", exercise.slug)
        scores = course.scores()
        assert sum(scores["reference"].values()) == sum(task.points for task in exercise.tasks)
        assert sum(scores["stub"].values()) == 0
        assert scores == course.regraded()
