"""A class through nbgrader's own commands, on SQLite: ptqlab's score is nbgrader's, whatever a submission does."""

from __future__ import annotations

import csv
import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbgrader.api import MissingEntry
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.plugins import CsvExportPlugin
from nbgrader.utils import get_username
from support import ROOT
from typer.testing import CliRunner

from autograder.cli.app import app
from autograder.course.catalog import find_exercises
from autograder.exports.nbgrader import graded_cell_id, source_notebook
from autograder.exports.nbgrader_export import PtqlabCsv

DUE = datetime.datetime(2030, 1, 10, 12, 0, 0)
IN_TIME, LATE = "2030-01-10 11:00:00.000000 UTC", "2030-01-11 11:00:00.000000 UTC"
TRUE_SCORES = {"perfect": 9.0, "half_done": 4.0, "untouched": 0.0, "noisy": 9.0, "late": 7.0, "mistaken": 5.4}


def tampered(course: Any, kit: Any) -> nbformat.NotebookNode:
    """Test cells deleted, doubled, worth more, unlocked, with outputs that say full marks; metadata of odd types."""
    book = course.answered(kit.DOUBLE)
    tests = [cell for cell in book.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    tests[0].metadata.nbgrader.points = "a thousand"
    tests[0].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "4.0"})]
    tests[1].source, tests[1].metadata.nbgrader.locked = "3.0", False
    tests[1].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "full marks"})]
    book.cells.remove(tests[2])
    double = nbformat.v4.new_code_cell("4.0", metadata={"nbgrader": dict(tests[0].metadata.nbgrader, points=1000)})
    odd = nbformat.v4.new_code_cell("pass", metadata={"nbgrader": {"grade_id": ["x"], "grade": True}})
    odder = nbformat.v4.new_markdown_cell("text", metadata={"nbgrader": "grade"})
    book.cells = [double, odd, odder, *book.cells]
    return book


def with_script(course: Any, kit: Any) -> nbformat.NotebookNode:
    """Markup that would act in the browser of the person who grades."""
    book = course.answered(kit.DOUBLE)
    text = "<script>steal()</script> <img src=x onerror=steal()> [a](javascript&colon;steal()) [b](java&#115;cript:steal())"
    text += "\n[c]: javascript:steal()\n[c] <a href='javascript:steal()'>d</a> <javascript:steal()>"
    cell = book.cells[1]
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": "<script>steal()</script>"})]
    book.cells += [
        nbformat.v4.new_markdown_cell(text),
        nbformat.v4.new_raw_cell(text, metadata={"raw_mimetype": "text/html"}),
    ]
    book.metadata.title = "</title><script>steal()</script>"
    return book


@pytest.fixture(scope="module")
def course(make_course: Callable[..., Any], kit: Any) -> Any:
    """The whole round trip, up to nbgrader's export."""
    course = make_course("ptq")
    course.configure(
        'c.AssignLatePenalties.plugin_class = "autograder.exports.nbgrader_grading.PtqlabLatePenalty"',
        suggested(course, "c.FileNameCollectorPlugin.named_regexp"),
    )
    course("generate_assignment", course.slug)
    course.gradebook(lambda book: book.update_or_create_assignment(course.slug, duedate=DUE))
    course("release_assignment", course.slug)
    fetch_and_submit(course, kit)
    for student, answers in kit.CLASS.items():
        course.send(student, course.answered(*answers), LATE if student == "late" else IN_TIME)
    course("collect", course.slug)
    course.download({name: course.answered(code, kit.COUNTER) for name, code in kit.TRICKS.items()})
    course("zip_collect", course.slug)
    course.hand_in("broken", "{'cells': [")
    course.hand_in("undecided", course.answered(kit.DOUBLE))
    script = "\n\n".join((kit.DOUBLE, kit.COUNTER, kit.HALVE))
    (course.submitted("undecided").parent / f"{course.slug}.py").write_text(script, encoding="utf-8")
    course.hand_in("tampered", tampered(course, kit))
    course.hand_in("with_script", with_script(course, kit))
    course("autograde", course.slug)
    course("generate_feedback", course.slug)
    course("export", "--to", course.root / "nbgrader.csv")
    return course


def suggested(course: Any, setting: str) -> str:
    """The line that `ptqlab nbgrader init` wrote into the settings as a comment, without its mark."""
    lines = (course.root / "nbgrader_config.py").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith(f"# {setting} = "))


def fetch_and_submit(course: Any, kit: Any) -> None:
    """One student's own commands, in a folder of their own; nbgrader knows them by their login name."""
    home = course.root.parent / "home"
    home.mkdir()
    options = (f"--Exchange.root={course.exchange}", f"--course={course.root.name}", course.slug)
    course("fetch_assignment", *options, cwd=home)
    nbformat.write(course.answered(*kit.CLASS["half_done"]), home / course.slug / f"{course.slug}.ipynb")
    course("submit", *options, cwd=home)


def test_every_score_is_the_one_that_ptqlab_grade_gives(course: Any) -> None:
    ours, theirs = course.regraded(), course.scores()
    assert len(theirs) == 16
    assert theirs[get_username()] == theirs["half_done"]
    assert theirs == ours


@pytest.mark.parametrize("student", sorted(TRUE_SCORES))
def test_the_class_gets_what_it_earned(course: Any, student: str) -> None:
    """A bonus comes on top; a warning and a print on stderr cost nobody a point."""
    assert sum(course.scores()[student].values()) == pytest.approx(TRUE_SCORES[student], abs=1e-9)


@pytest.mark.parametrize(
    "trick",
    ["reads-the-working-folder", "reads-source", "writes-the-gradebook", "equals-everything", "removes-asserts"],
)
def test_a_trick_that_beats_nbgrader_earns_nothing_here(course: Any, trick: str) -> None:
    """Each of them solved task 1.2 by honest work, so the rest of their grade stands."""
    assert course.scores()[f"{trick}_1234"] == {"task-1-1": 0.0, "task-1-2": 3.0, "task-1-3": 0.0}


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("leeann_501_77_01_tiny.ipynb", "leeann_501"),
        ("leeann_LATE_501_77_01_tiny-2.ipynb", "leeann_LATE_501"),
        ("team_a_501_77_01_tiny.ipynb", "team_a_501"),
        ("anon_a1B2c_77_01_tiny.ipynb", "anon_a1B2c"),
        ("LATE_anon_77123_77_01_tiny-1.ipynb", "LATE_anon_77123"),
        ("Ann Lee_71_assignsubmission_file/01_tiny.ipynb", "Ann Lee_71"),
        ("Ann Lee_71_assignsubmission_file_/01_tiny.ipynb", "Ann Lee_71"),
        ("Ann Lee_71_assignsubmission_file_01_tiny.ipynb", "Ann Lee_71"),
        ("leeann_501_77_notes.ipynb", None),
    ],
)
def test_the_suggested_expression_reads_the_names_that_canvas_and_moodle_give(
    course: Any, path: str, student: str | None
) -> None:
    """Folder or none, late or again; the number stays, since two students may share a name."""
    expression = suggested(course, "c.FileNameCollectorPlugin.named_regexp").partition('"')[2].rstrip('"')
    found = re.match(expression, f"/course/downloaded/extracted/{path}")
    assert (found and (found["student_id"], found["file_id"])) == (student and (student, "01_tiny"))


def test_edited_cells_and_outputs_decide_nothing(course: Any) -> None:
    assert course.scores()["tampered"] == {"task-1-1": 4.0, "task-1-2": 0.0, "task-1-3": 0.0}
    book = nbformat.read(course.root / "autograded" / "tampered" / course.slug / f"{course.slug}.ipynb", as_version=4)
    tests = {c.metadata.nbgrader.grade_id: c for c in book.cells if c.metadata.get("nbgrader", {}).get("grade")}
    assert {
        name: (c.source.strip(), c.metadata.nbgrader.points, c.metadata.nbgrader.locked) for name, c in tests.items()
    } == {
        "task-1-1": ('check("1.1")', 4.0, True),
        "task-1-2": ('check("1.2")', 3.0, True),
        "task-1-3": ('check("1.3")', 0.0, True),
    }


def test_what_cannot_be_read_is_zero_points_and_a_sentence(course: Any) -> None:
    assert course.scores()["broken"] == {"task-1-1": 0.0, "task-1-2": 0.0, "task-1-3": 0.0}
    page = (course.root / "feedback" / "broken" / course.slug / f"{course.slug}.html").read_text(encoding="utf-8")
    assert "is not valid JSON" in page


def test_a_submission_cannot_act_in_the_browser_of_the_person_who_grades(course: Any) -> None:
    copy = (course.root / "autograded" / "with_script" / course.slug / f"{course.slug}.ipynb").read_text(
        encoding="utf-8"
    )
    page = (course.root / "feedback" / "with_script" / course.slug / f"{course.slug}.html").read_text(encoding="utf-8")
    for text in (copy, page):
        assert "steal()" in text
        assert not re.search(r"<script>steal|<img src=x|<a [^>]*href=\W*java", text)


def test_a_late_submission_loses_a_tenth_for_the_day(course: Any) -> None:
    rows = exported(course)
    assert {name: rows[name]["late_submission_penalty"] for name in ("late", "perfect")} == {
        "late": "0.7",
        "perfect": "0.0",
    }
    assert (rows["late"]["raw_score"], rows["late"]["score"], rows["perfect"]["score"]) == ("7.0", "6.3", "9.0")


def test_canvas_gets_what_the_gradebook_says_late_penalty_included(course: Any, tmp_path: Path) -> None:
    """And nothing for a score that is still open: a person's answer is not a zero."""
    out = tmp_path / "canvas.csv"
    arguments = ["export", str(course.root), "--to", "canvas", "--out", str(out), "--course", str(course.exercises)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    with out.open(encoding="utf-8-sig", newline="") as file:
        points = {row["Student"]: row["01 Tiny"] for row in csv.DictReader(file)}
    assert (points["late"], points["perfect"], points["broken"]) == ("6.3", "9", "0")
    assert "undecided" not in points


def test_feedback_says_what_was_wrong_without_the_values(course: Any) -> None:
    page = (course.root / "feedback" / "mistaken" / course.slug / f"{course.slug}.html").read_text(encoding="utf-8")
    assert "a negative number is not doubled" in page
    assert "double works below zero, too." in page
    assert "Hidden tests join" not in page


def holding_a_secret(folder: Path, secrets: tuple[str, ...]) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def test_no_hidden_test_value_or_solution_stands_in_anything_that_a_student_sees(course: Any, kit: Any) -> None:
    """Nor anywhere else in the course's folder: release, autograded copies, feedback, exports, reports, gradebook."""
    assert len(holding_a_secret(course.exercises / "solutions", kit.SECRETS)) >= 4  # the search finds what there is
    assert sum(path.is_file() for path in course.root.rglob("*")) > 100
    assert holding_a_secret(course.root, kit.SECRETS) == []
    assert holding_a_secret(course.exchange, kit.SECRETS) == []


def test_regrading_keeps_a_manual_score_and_comment(course: Any, kit: Any) -> None:
    """And the automatic score follows the new submission."""

    def by_hand(book: Any) -> None:
        grade = book.find_grade("task-1-1", course.slug, course.slug, "half_done")
        grade.manual_score, grade.extra_credit = 2.5, 0.5
        book.find_comment("answer-1-1", course.slug, course.slug, "half_done").manual_comment = "well explained"
        book.db.commit()

    course.gradebook(by_hand)
    course.hand_in("half_done", course.answered("def double(x):\n    return 0", kit.COUNTER))
    course("autograde", course.slug, "--student", "half_done", "--force")
    now = course.gradebook(lambda b: b.find_submission(course.slug, "half_done").to_dict())
    grade = course.gradebook(lambda b: b.find_grade("task-1-1", course.slug, course.slug, "half_done").to_dict())
    comment = course.gradebook(lambda b: b.find_comment("answer-1-1", course.slug, course.slug, "half_done").comment)
    assert (grade["auto_score"], grade["manual_score"], grade["extra_credit"]) == (0.0, 2.5, 0.5)
    assert (grade["needs_manual_grade"], now["score"], comment) == (True, 6.0, "well explained")


def test_a_withheld_score_is_empty_and_waits_for_a_person(course: Any) -> None:
    """Two files of a student that differ: nobody but a person can say which one counts."""
    grades = course.gradebook(
        lambda b: [
            (g.auto_score, g.needs_manual_grade)
            for g in b.find_submission(course.slug, "undecided").notebooks[0].grades
        ]
    )
    assert grades == [(None, True)] * 3


def exported(course: Any) -> dict[str, dict[str, str]]:
    with (course.root / "nbgrader.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_nbgraders_own_table_has_a_cell_a_cell_and_no_formula(tmp_path: Path) -> None:
    """nbgrader quotes nothing: a comma in a name would move the grades, and a formula would be one."""
    people = [
        SimpleNamespace(id="ann", last_name="Lee, Jr", first_name="=1+1", email=None),
        SimpleNamespace(id="bo", last_name=None, first_name=None, email=None),
    ]

    def find_submission(assignment: str, student: str) -> None:
        raise MissingEntry

    labs = [SimpleNamespace(name="01_tiny", duedate=None, max_score=7.0)]
    book = SimpleNamespace(assignments=labs, students=people, find_submission=find_submission)
    PtqlabCsv(to=str(tmp_path / "out.csv"), student=["ann"]).export(book)
    CsvExportPlugin(to=str(tmp_path / "theirs.csv")).export(book)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == (tmp_path / "theirs.csv").read_text().splitlines()[0].split(",")
    named = (row["student_id"], row["last_name"], row["first_name"], row["score"], row["timestamp"])
    assert named == ("ann", "Lee, Jr", "'=1+1", "0.0", "")


@pytest.mark.proof
def test_validate_runs_the_public_tests_and_noise_fails_nobody(course: Any, kit: Any) -> None:
    """The command behind a student's Validate button, on what was fetched from the exchange."""
    folder = course.root.parent / "home" / course.slug
    for name in ("noisy", "half_done"):
        nbformat.write(course.answered(*kit.CLASS[name]), folder / f"{name}.ipynb")
    words = course("validate", "noisy.ipynb", "half_done.ipynb", cwd=folder, PTQLAB_COURSE=str(course.exercises))
    first, _, second = words.partition("VALIDATION FAILED ON 2 CELL(S)!")
    assert "Success! Your notebook passes all the tests." in first
    assert 'check("1.2")' in second
    assert "Not written yet" in second
    assert 'check("1.1")' not in second


def test_init_changes_nothing_that_is_there(course: Any) -> None:
    before = {path: path.read_bytes() for path in (course.root / "source").rglob("*") if path.is_file()}
    seed = (course.root / "grades" / "assignment.json").read_text(encoding="utf-8")
    words = course.ptqlab("nbgrader", "init", course.root, "--course", course.exercises)
    assert words.count("as it was") == 4
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads((course.root / "grades" / "assignment.json").read_text(encoding="utf-8")) == json.loads(seed)


@pytest.mark.proof
def test_an_instructors_own_question_is_cleared_and_read_by_a_person(make_course: Callable[..., Any], kit: Any) -> None:
    """Cells added to source/ work as anywhere in nbgrader: the model answer is cleared, the score is a person's."""
    course = make_course("own")
    source = course.root / "source" / course.slug / f"{course.slug}.ipynb"
    book = nbformat.read(source, as_version=4)
    about = {
        "grade_id": "essay",
        "grade": True,
        "solution": True,
        "locked": False,
        "task": False,
        "points": 3,
        "schema_version": 3,
    }
    text = "### BEGIN SOLUTION\nsolution-marker-51c2\n### END SOLUTION"
    book.cells.append(nbformat.v4.new_markdown_cell(text, metadata={"nbgrader": about}))
    nbformat.write(book, source)
    course("generate_assignment", course.slug)
    released = (course.root / "release" / course.slug / f"{course.slug}.ipynb").read_text(encoding="utf-8")
    assert "solution-marker" not in released
    assert "not written yet: write it in task 1.1" in released
    answered = course.answered(kit.DOUBLE, kit.UNTOUCHED, kit.UNTOUCHED, "<script>steal()</script> because *x* < 2")
    essay = answered.cells[-1]  # as code, its text would not be looked at; the gradebook makes it markdown again
    answered.cells[-1] = nbformat.v4.new_code_cell(essay.source, metadata=essay.metadata)
    course.hand_in("writer", answered)
    course("autograde", course.slug)
    assert course.scores()["writer"] == {"task-1-1": 4.0, "task-1-2": 0.0, "task-1-3": 0.0, "essay": None}
    copy = nbformat.read(course.root / "autograded" / "writer" / course.slug / f"{course.slug}.ipynb", as_version=4)
    last = next(cell for cell in copy.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "essay")
    assert (last.cell_type, last.source) == ("markdown", "&lt;script&gt;steal()&lt;/script&gt; because *x* &lt; 2")


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_every_labs_notebook_is_valid_and_has_one_test_cell_a_task(language: str) -> None:
    """Whatever labs this clone holds: each task's cell is worth its points, a bonus nothing, and no answer is in it."""
    for exercise in find_exercises(ROOT):
        if not (exercise.folder / f"{exercise.slug}.zh-TW.ipynb").is_file():
            continue  # still being written
        book = nbformat.reads(source_notebook(exercise, language), as_version=4)
        MetadataValidator().validate_nb(book)
        cells = [cell for cell in book.cells if cell.metadata.get("nbgrader")]
        points = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader.points for c in cells if c.metadata.nbgrader.grade}
        assert points == {graded_cell_id(task.id): 0 if task.bonus else task.points for task in exercise.tasks}
        answers = "\n".join(cell.source for cell in cells if cell.metadata.nbgrader.solution)
        assert all(f"def {name}" in answers or f"class {name}" in answers for name in exercise.functions)
