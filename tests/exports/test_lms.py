"""Canvas, Moodle and otter: tables that their importers accept, with nobody's grade lost, invented or cleared."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder.cli import main
from autograder.cli.app import app
from autograder.course.catalog import find_exercises
from autograder.exports.grades import Grade, read_grades, read_reports
from autograder.exports.headings import CANVAS
from autograder.exports.lms import canvas_csv, moodle_csv
from autograder.exports.tables import read_table
from autograder.records import Exercise, Limits, PtqlabError, Report, TaskScore
from autograder.report.to_json import report_to_json

SLUG = "01_tiny"
POINTS = {"ada": 9.0, "bob": 4.5, "eve": None}  # eve's score is withheld


@pytest.fixture
def exercises(tiny: Path) -> tuple[Exercise, ...]:
    return find_exercises(tiny)


@pytest.fixture
def folder(tmp_path: Path, exercises: tuple[Exercise, ...]) -> Path:
    """Grades as `ptqlab grade --out` leaves them."""
    for student, earned in POINTS.items():
        (tmp_path / student).mkdir()
        (tmp_path / student / f"{SLUG}.json").write_text(report_to_json(report(exercises[0], student, earned)))
    return tmp_path


def report(exercise: Exercise, student: str, earned: float | None) -> Report:
    points = dict(zip(("1.1", "1.2", "1.3"), (4.0, 0.5, 0.0) if earned == 4.5 else (4.0, 3.0, 2.0), strict=True))
    tasks = tuple(
        TaskScore(
            t.id,
            t.title,
            t.points,
            0.0 if earned is None else points[t.id],
            t.bonus,
            "withheld" if earned is None else "partial",
            t.hint,
            (),
            (),
        )
        for t in exercise.tasks
    )
    return Report(
        student,
        SLUG,
        exercise.title,
        earned,
        exercise.possible,
        "withheld" if earned is None else "graded",
        "why" if earned is None else "",
        "0",
        "0",
        "0",
        1,
        "cpu",
        "none",
        Limits(),
        "0",
        0.0,
        (),
        tasks,
    )


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


# What lib/gradebook_importer.rb of Canvas asks of the first rows
def assert_canvas_accepts(table: list[list[str]]) -> None:
    header = table[0]
    assert len(header) > 3
    assert "Student" in header[0]
    assert "ID" in header[1]
    assert (header[2], header[3]) == ("SIS User ID", "SIS Login ID") or header[2] == "SIS Login ID"
    assert "Section" in header[4 if header[2] == "SIS User ID" else 3]
    assert "Points Possible" in table[1][0]
    assert all(len(row) == len(header) for row in table)


def test_canvas_gets_a_column_a_lab_and_a_row_a_student_with_a_score(
    folder: Path, exercises: tuple[Exercise, ...]
) -> None:
    export = canvas_csv(read_grades(folder, exercises), exercises, None)
    assert_canvas_accepts(rows(export.text))
    assert rows(export.text) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01 Tiny"],
        ["    Points Possible", "", "", "", "", "7"],
        ["ada", "", "", "ada", "", "9"],
        ["bob", "", "", "bob", "", "4.5"],
    ]
    assert export.left_out == {}


CANVAS_EXPORT = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Essay (11),01 Tiny (22),Final Score
    Points Possible,,,,,10,7,(read only)
"Doe, Ada",501,s-1,ada@example.edu,One,3,1,50
"Roe, Bob",502,s-2,bob,One,4,,60
"Student, Test",503,,abc,One,,,
"""


def test_canvas_with_its_own_export_keeps_names_ids_and_the_assignment(
    folder: Path, exercises: tuple[Exercise, ...], tmp_path: Path
) -> None:
    """The column is the one that exists; others are left out, so that nothing else changes."""
    (tmp_path / "roster.csv").write_text(CANVAS_EXPORT, encoding="utf-8")
    export = canvas_csv(read_grades(folder, exercises), exercises, read_table(tmp_path / "roster.csv")[0])
    assert_canvas_accepts(rows(export.text))
    assert rows(export.text) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01 Tiny (22)"],
        ["    Points Possible", "", "", "", "", "7"],
        ["Doe, Ada", "501", "s-1", "ada@example.edu", "One", "9"],
        ["Roe, Bob", "502", "s-2", "bob", "One", "4.5"],
    ]
    assert export.left_out == {"eve": "is not in the roster"}
    assert export.without_grade == (), "Canvas's own test student is in every gradebook"


def test_a_lab_without_a_score_keeps_the_grade_that_canvas_has(exercises: tuple[Exercise, ...]) -> None:
    """Canvas takes an empty cell for a grade taken away (lib/gradebook_importer.rb, no_change_to_value?)."""
    other = replace(exercises[0], slug="02_other")
    titles = ["01 Tiny (22)", "02 Tiny (23)"]
    roster = [
        [*CANVAS, *titles],
        ["Doe, Ada", "501", "", "ada", "", "1", "6.5"],
        ["Roe, Bob", "502", "", "bob", "", "2"],
    ]
    grades = [Grade("ada", SLUG, 9.0, 7.0), Grade("ada", "02_other", None, 7.0), Grade("bob", SLUG, 4.0, 7.0)]
    export = canvas_csv(grades, [exercises[0], other], roster)
    assert [row[-2:] for row in rows(export.text)] == [titles, ["7", "7"], ["9", "6.5"], ["4", ""]]


def test_canvass_first_heading_has_no_quotes(exercises: tuple[Exercise, ...]) -> None:
    """Canvas reads with Ruby's CSV, which finds a quote behind the mark illegal (ruby/csv issue 103)."""
    text = canvas_csv([Grade("ada", SLUG, 9.0, 7.0)], exercises, None).text
    assert text.startswith('\ufeffStudent,"ID","SIS User ID",')
    assert all(line.startswith('"') for line in text.splitlines()[1:])


@pytest.mark.parametrize("to", ["canvas", "moodle", "otter"])
def test_no_table_holds_a_formula(to: str, folder: Path, tiny: Path) -> None:
    """n02: behind a semicolon, too, and in every table of a command."""
    evil = report(find_exercises(tiny)[0], "eve;=1+1", 4.5)
    (folder / "eve" / f"{SLUG}.json").write_text(report_to_json(evil))
    out = folder / "out.csv"
    done = CliRunner().invoke(app, ["export", str(folder), "--to", to, "--out", str(out), "--course", str(tiny)])
    assert done.exit_code == 0, done.output
    assert "eve;'=1+1" in out.read_text(encoding="utf-8-sig")


def test_who_may_be_two_people_is_left_out_with_a_word(folder: Path, exercises: tuple[Exercise, ...]) -> None:
    """And the rest of the class is in the table."""
    roster = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"],
        ["A", "1", "", "ada", "One"],
        ["B", "2", "", "Ada", "Two"],
        ["C", "3", "", "bob", "Two"],
    ]
    export = canvas_csv(read_grades(folder, exercises), exercises, roster)
    assert export.left_out["ada"] == "may be 2 people of the roster; use unique names"
    assert [row[0] for row in rows(export.text)[2:]] == ["C"]


def test_students_who_are_called_as_a_platforms_zip_calls_their_files_are_found(
    exercises: tuple[Exercise, ...],
) -> None:
    """`ptqlab grade` of a zip from Canvas or Moodle, and then the table for the same platform."""
    canvas = [
        Grade(name, SLUG, points, 7.0)
        for name, points in {"doeada_501": 1, "øyebo_502": 2, "roebob_LATE_503": 3}.items()
    ]
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    roster = [
        header,
        ["Doe, Ada", "501", "", "x", ""],
        ["Øye, Bo", "502", "501", "y", ""],
        ["Roe, Bob", "503", "", "z", ""],
    ]
    export = canvas_csv(canvas, exercises, roster)
    assert {row[0]: row[-1] for row in rows(export.text)[2:]} == {"Doe, Ada": "1", "Øye, Bo": "2", "Roe, Bob": "3"}
    assert export.left_out == {}
    export = canvas_csv([Grade("doeada", SLUG, 1.0, 7.0)], exercises, roster)
    assert rows(export.text)[2][0] == "Doe, Ada"
    moodle = [
        Grade(name, SLUG, points, 7.0)
        for name, points in {"Ada Doe_71": 1.0, "Bob Roe_99": 2.0, "Dee Foe_73": 3.0}.items()
    ]
    export = moodle_csv(moodle, exercises, rows(WORKSHEET))
    assert [row[4] for row in rows(export.text)[1:]] == ["1", "2", "1.00"]
    assert list(export.left_out) == ["Dee Foe_73"], (
        "a number of Moodle's is another person's in another assignment: the name decides"
    )


def test_a_number_alone_is_nobody(exercises: tuple[Exercise, ...]) -> None:
    """Moodle's participant 501 is not Canvas's student 501: seen in a class whose files came from both."""
    roster = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section"], ["Doe, Ada", "501", "", "x", ""]]
    export = canvas_csv([Grade("Bob Roe_501", SLUG, 1.0, 7.0)], exercises, roster)
    assert (len(rows(export.text)), list(export.left_out)) == (2, ["Bob Roe_501"])


def test_two_students_with_one_row_are_both_left_out(exercises: tuple[Exercise, ...]) -> None:
    """Handed in once in time and once late, and collected twice: a person must say which one counts."""
    roster = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section"], ["Doe, Ada", "501", "", "x", ""]]
    grades = [Grade("doeada_501", SLUG, 1.0, 7.0), Grade("doeada_LATE_501", SLUG, 2.0, 7.0)]
    export = canvas_csv(grades, exercises, roster)
    assert len(rows(export.text)) == 2
    assert export.left_out == {
        "doeada_501": "has the same row of the roster as doeada_LATE_501; keep one",
        "doeada_LATE_501": "has the same row of the roster as doeada_501; keep one",
    }


def test_two_of_one_name_are_told_apart_by_moodles_number(exercises: tuple[Exercise, ...]) -> None:
    table = rows(WORKSHEET.replace("Bob Roe", "Ada Doe"))
    export = moodle_csv([Grade("Ada Doe_72", SLUG, 5.0, 7.0)], exercises, table)
    assert [row[4] for row in rows(export.text)[1:]] == ["", "5", "1.00"]
    export = moodle_csv([Grade("Ada Doe_99", SLUG, 5.0, 7.0)], exercises, table)
    assert export.left_out == {"Ada Doe_99": "may be 2 people of the roster; use unique names"}


def test_a_table_that_is_not_canvas_is_refused(folder: Path, exercises: tuple[Exercise, ...]) -> None:
    with pytest.raises(PtqlabError, match="Canvas's gradebook export"):
        canvas_csv(read_grades(folder, exercises), exercises, [["Name", "Login"], ["x", "ada"]])


def test_moodle_gets_a_table_whose_columns_can_be_mapped(folder: Path, exercises: tuple[Exercise, ...]) -> None:
    export = moodle_csv(read_grades(folder, exercises), exercises, None, "Email address")
    assert rows(export.text) == [["Email address", "01 Tiny"], ["ada", "9"], ["bob", "4.5"]]
    assert export.left_out == {}


WORKSHEET = """Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (grade)","Feedback comments"
"Participant 71","Ada Doe",ada@example.edu,Submitted,,7.00,Yes,-,"well, done"
"Participant 72","Bob Roe",bob@example.edu,Submitted,2.00,7.00,Yes,"Monday, 7 January 2030, 10:00 AM",
"Participant 73","Cy Poe",cy@example.edu,"No submission",1.00,7.00,Yes,-,
"""


def test_moodles_worksheet_comes_back_with_grades_and_nothing_else_changed(
    folder: Path, exercises: tuple[Exercise, ...], tmp_path: Path
) -> None:
    (tmp_path / "roster.csv").write_text(WORKSHEET, encoding="utf-8")
    export = moodle_csv(read_grades(folder, exercises), exercises, read_table(tmp_path / "roster.csv")[0])
    before, after = rows(WORKSHEET), rows(export.text)
    place = before[0].index("Grade")
    assert [row[place] for row in after] == ["Grade", "9", "4.5", "1.00"]
    assert [row[:place] + row[place + 1 :] for row in after] == [row[:place] + row[place + 1 :] for row in before]
    assert export.left_out == {"eve": "is not in the roster"}


@pytest.mark.parametrize("name", ["Identifier", "Grade", "Last modified (grade)"])
def test_a_worksheet_without_what_moodle_asks_for_is_refused(
    folder: Path, exercises: tuple[Exercise, ...], name: str
) -> None:
    """mod/assign/feedback/offline/importgradeslib.php refuses it, too."""
    place = rows(WORKSHEET)[0].index(name)
    table = [row[:place] + row[place + 1 :] for row in rows(WORKSHEET)]
    if name == "Grade":
        table = [[cell for cell in row if cell not in ("Maximum Grade", "7.00")] for row in table]
    with pytest.raises(PtqlabError, match="offline grading worksheet"):
        moodle_csv(read_grades(folder, exercises), exercises, table)


def test_otters_table_has_a_column_a_task_and_the_share(folder: Path, tiny: Path) -> None:
    out = folder / "final_grades.csv"
    done = CliRunner().invoke(app, ["export", str(folder), "--to", "otter", "--out", str(out), "--course", str(tiny)])
    assert done.exit_code == 0, done.output
    assert rows(out.read_text(encoding="utf-8")) == [
        ["1.1", "1.2", "1.3", "percent_correct", "file"],
        ["4", "3", "2", "1.285714", f"ada/{SLUG}.ipynb"],
        ["4", "0.5", "0", "0.642857", f"bob/{SLUG}.ipynb"],
        ["", "", "", "", f"eve/{SLUG}.ipynb"],
    ]


def test_otters_table_is_not_made_of_an_nbgrader_folder_whose_manual_scores_it_would_lose(tmp_path: Path) -> None:
    (tmp_path / "nbgrader_config.py").write_text("", encoding="utf-8")
    (tmp_path / "grades").mkdir()
    (tmp_path / "grades" / "assignment.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PtqlabError, match=r"is an nbgrader folder; .* give .*grades\.$"):
        read_reports(tmp_path)


def test_the_command_says_who_is_not_in_the_roster(folder: Path, tiny: Path) -> None:
    (folder / "roster.csv").write_text(CANVAS_EXPORT, encoding="utf-8")
    arguments = ["export", str(folder), "--to", "canvas", "--out", str(folder / "out.csv"), "--course", str(tiny)]
    done = CliRunner().invoke(app, [*arguments, "--roster", str(folder / "roster.csv")])
    assert done.exit_code == 1
    assert "Left out of the table (is not in the roster): eve." in done.output
    assert (folder / "out.csv").read_bytes().startswith(b'\xef\xbb\xbfStudent,"ID",')


def test_the_command_says_who_has_no_score_and_whom_it_gives_0(folder: Path, tiny: Path) -> None:
    """A 0 in a gradebook is somebody's, and a person looks at it."""
    zero = report(find_exercises(tiny)[0], "bob", 0.0)
    (folder / "bob" / f"{SLUG}.json").write_text(report_to_json(zero))
    out = folder / "out.csv"
    done = CliRunner().invoke(app, ["export", str(folder), "--to", "moodle", "--out", str(out), "--course", str(tiny)])
    assert done.exit_code == 0, "nobody had to be looked up"
    assert "Given 0 points: bob in 01_tiny." in done.output
    assert "No points yet (the score is withheld, or for a person to give): eve in 01_tiny." in done.output


def test_the_command_says_who_of_the_roster_handed_nothing_in(folder: Path, tiny: Path) -> None:
    (folder / "roster.csv").write_text(WORKSHEET, encoding="utf-8")
    arguments = ["export", str(folder), "--to", "moodle", "--out", str(folder / "out.csv"), "--course", str(tiny)]
    done = CliRunner().invoke(app, [*arguments, "--roster", str(folder / "roster.csv")])
    assert "In the roster, and nothing handed in: Cy Poe." in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "canvas"], "Expected the grades"),
        (["empty", "--to", "canvas"], "holds no grade for 01_tiny"),
    ],
)
def test_a_mistake_is_one_sentence(tiny: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    given = [str(tmp_path) if argument == "empty" else argument for argument in arguments]
    done = CliRunner().invoke(app, ["export", *given, "--out", str(tmp_path / "o"), "--course", str(tiny)])
    assert isinstance(done.exception, PtqlabError)
    assert words in str(done.exception)


def test_a_grade_that_a_person_must_give_is_no_zero() -> None:
    grade = Grade("ada", SLUG, None, 7.0)
    assert canvas_csv([grade], [], None).text.count("\n") == 2


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["--to", "canvas", "--out", "o.csv", "--roster", "gone.csv"], "gone.csv"),
        (["--to", "github-classroom", "--out", "file"], "file"),
        (["--to", "gradescope", "--out", "file/o.zip"], "file"),
    ],
)
def test_a_file_that_cannot_be_read_or_written_is_one_sentence_too(
    folder: Path,
    tiny: Path,
    arguments: list[str],
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of any command: `main` is what the console runs."""
    (folder / "file").write_text("x", encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["ptqlab", "export", str(folder), "--course", str(tiny), *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    course, sentence = capsys.readouterr().err.splitlines()
    assert course == f"course: {tiny}"
    assert sentence.startswith("ptqlab: Expected to read or write ")
    assert path in sentence
