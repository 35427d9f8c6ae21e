"""A submission is what it holds: whatever a file is called and wherever it lies, its lab, its owner and its fate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.grading.intake import Intake, find_submissions, read_intake, write_intake
from autograder.grading.tree import Entry
from autograder.records import Exercise, Limits, Task
from autograder.sandbox import reading
from autograder.submission.record import Record

ONE, TWO = "01_first", "02_second"
ANSWER = "def f():\n    return 1"


@pytest.fixture
def exercises(tmp_path: Path) -> list[Exercise]:
    """Two exercises, which ask for f and for g."""
    found = []
    for slug, name in ((ONE, "f"), (TWO, "g")):
        folder = tmp_path / "course" / slug
        put(folder / f"{slug}.ipynb", f"def {name}():\n    raise NotImplementedError")
        put(folder / "test_public.py", "def test_it():\n    pass")
        put(folder / "example.py", f"def {name}():\n    return 0")
        found.append(Exercise(slug, {}, (Task(f"{slug[1]}.1", {}, (name,), 1.0, {}),), Limits(), folder))
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "class").mkdir()
    return tmp_path / "class"


def put(path: Path, code: str = ANSWER) -> Path:
    """A notebook, or a script, of this code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_notebook = "ipynb" in path.name.lower()
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": code}]}) if is_notebook else code)
    return path


def whose(intake: Intake) -> list[tuple[str, str, str]]:
    """(student, exercise, what is graded) of each row."""
    return [(row.student, row.exercise, row.path.name if row.path else row.problem) for row in intake.rows]


def students(root: Path, exercises: list[Exercise]) -> list[str]:
    return [row.student for row in find_submissions(root, exercises).rows]


# --- which lab ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        f"{ONE} (1).ipynb",
        f"{ONE}-Copy1.ipynb",
        f"Copy of {ONE}.ipynb",
        f"{ONE}_final.ipynb",
        f"{ONE}.IPYNB",
        f"「{ONE}.ipynb」的副本.ipynb",
        f"{ONE}.ipynb.json",
        f"{ONE}.ipynb.txt",
        "a/b/c/d/e/f/g/h/i/j/lab.ipynb",
        f"ptq/exercises/{ONE}/{ONE}.ipynb",
        "my lab",
        "solution.py",
        "answers.txt",
    ],
)
def test_a_file_that_binds_a_graded_name_is_graded(root: Path, exercises: list[Exercise], name: str) -> None:
    put(root / "ann" / name)
    put(root / "bob" / f"{ONE}.ipynb")
    assert whose(find_submissions(root, exercises))[0] == ("ann", ONE, name.rpartition("/")[2])


def test_content_counts_and_a_note_says_so_where_the_name_says_another_lab(
    root: Path, exercises: list[Exercise]
) -> None:
    put(root / "ann" / f"{TWO}.ipynb")
    put(root / "bob" / f"{ONE}.ipynb")
    ann, _ = find_submissions(root, exercises).rows
    note = f"{TWO}.ipynb is named like {TWO}, and is {ONE} by what it holds: it counts there."
    assert (ann.exercise, ann.notes) == (ONE, (note,))
    code = ann.read(exercises[0]).code
    assert code is not None
    assert code.notes[0] == note


def test_of_one_exercise_another_ones_file_is_a_row_that_says_which(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / "lab.ipynb")
    put(root / "bob" / "lab.ipynb", "def g():\n    return 1")
    intake = find_submissions(root, exercises, ONE)
    assert whose(intake)[1] == ("bob", ONE, f"Expected {ONE}.ipynb or {ONE}.py, but lab.ipynb ({TWO}) came.")
    assert [(fate.lab, fate.what, fate.why) for fate in intake.fates][1] == (TWO, "ignored", f"is {TWO}")


def test_a_file_with_two_labs_counts_for_both(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / "both.ipynb", f"{ANSWER}\n\ndef g():\n    return 2")
    put(root / "bob" / "one.ipynb")
    assert whose(find_submissions(root, exercises)) == [
        ("ann", ONE, "both.ipynb"),
        ("ann", TWO, "both.ipynb"),
        ("bob", ONE, "one.ipynb"),
    ]


# --- whose --------------------------------------------------------------------------------------------------------


def test_a_person_is_what_is_left_of_a_files_name(root: Path, exercises: list[Exercise]) -> None:
    put(root / f"ann_{ONE} (1).ipynb")
    put(root / f"Bo Wu - {ONE}.ipynb")
    assert students(root, exercises) == ["Bo Wu", "ann"]


def test_folders_around_the_class_are_stripped(root: Path, exercises: list[Exercise]) -> None:
    for student in ("ann", "bob"):
        put(root / "Lab 1" / "submissions" / student / "work" / "lab.ipynb")
    (root / "README.md").write_text("the class")
    assert students(root, exercises) == ["ann", "bob"]


def test_one_persons_working_folder_is_no_class(root: Path, exercises: list[Exercise]) -> None:
    """Its folders are named like labs."""
    put(root / "exercises" / ONE / "lab.ipynb")
    put(root / "exercises" / TWO / "lab.ipynb", "def g():\n    return 1")
    assert students(root, exercises) == ["class", "class"]


def test_folders_of_labs_may_each_hold_a_class(root: Path, exercises: list[Exercise]) -> None:
    put(root / ONE / "ann" / "lab.ipynb")
    put(root / ONE / "bob" / "lab.ipynb", f"{ANSWER} + 1")
    put(root / TWO / "Cy Lee_71_assignsubmission_file_" / "lab.ipynb", "def g():\n    return 1")
    rows = [row[:2] for row in whose(find_submissions(root, exercises))]
    assert rows == [("Cy Lee_71", TWO), ("ann", ONE), ("bob", ONE)]


def test_layouts_may_be_mixed(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    put(root / "bob.ipynb")
    put(root / "Cy Lee_71_assignsubmission_file_" / "x.ipynb")
    assert students(root, exercises) == ["Cy Lee_71", "ann", "bob"]


def test_a_file_of_nobody_is_named_and_leaves_something_to_decide(root: Path, exercises: list[Exercise]) -> None:
    for student in ("ann", "bob"):
        put(root / student / f"{ONE}.ipynb")
    put(root / f"{ONE}.ipynb", "def f():\n    return 2")
    intake = find_submissions(root, exercises)
    assert [row.student for row in intake.rows] == ["ann", "bob"]
    assert [(fate.path, fate.owner, fate.what) for fate in intake.undecided] == [(f"{ONE}.ipynb", "", "nobody's")]


def test_a_gradescope_export_names_its_people(root: Path, exercises: list[Exercise]) -> None:
    """Two who hand in together have a row each."""
    for number in (11, 12):
        put(root / "assignment_7_export" / f"submission_{number}" / "lab.ipynb", f"{ANSWER} + {number}")
    people = {11: ["Ann Lee", "Bo Wu"], 12: ["Cy Díaz"]}
    lines = ["---"]
    for number, names in people.items():
        lines += [f"submission_{number}:", "  :submitters:"]
        lines += [line for name in names for line in (f"  - :name: {name}", f"    :sid: '{len(name)}'")]
    (root / "assignment_7_export" / "submission_metadata.yml").write_text("\n".join(lines))
    assert students(root, exercises) == ["Ann Lee_7", "Bo Wu_5", "Cy Díaz_7"]


# --- which file, and what becomes of the rest ---------------------------------------------------------------------


def test_what_is_no_notebook_is_a_row_that_says_so(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    for name, data in {
        "bob/lab.pdf": b"%PDF-1.7",
        "cy/lab.rar": b"Rar!\x1a\x07",
        "di/lab.ipynb.json": b"no JSON",
        "ed/text.html": b"<!DOCTYPE html>",
    }.items():
        (root / name).parent.mkdir()
        (root / name).write_bytes(data)
    said = {row.student: row.problem for row in find_submissions(root, exercises).rows}
    expected = "Expected a notebook (.ipynb) or a script (.py), but "
    assert said["bob"] == f"{expected}lab.pdf came, which is a PDF; hand in one of them."
    assert said["cy"] == f"{expected}lab.rar came, which is a RAR archive; hand in one of them."
    assert said["ed"] == f"{expected}text.html came, which is a web page; hand in one of them."
    assert said["di"] == f"{expected}lab.ipynb.json came; hand in one of them."


def test_every_file_has_a_fate(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    put(root / "ann" / "old" / f"{ONE}.ipynb")
    put(root / "ann" / f"{TWO}.ipynb", "def g():\n    raise NotImplementedError")
    put(root / "ann" / "notes.txt", "nothing")
    put(root / "ann" / "example.py", "def f():\n    return 0")
    put(root / "bob" / f"{ONE}.ipynb", "def f():\n    raise NotImplementedError")
    intake = find_submissions(root, exercises)
    assert whose(intake) == [("ann", ONE, f"{ONE}.ipynb"), ("bob", ONE, f"{ONE}.ipynb")]
    assert {fate.path: (fate.owner, fate.lab, fate.what, fate.why) for fate in intake.fates} == {
        f"ann/{ONE}.ipynb": ("ann", ONE, "graded", ""),
        f"ann/old/{ONE}.ipynb": ("ann", ONE, "same code as", f"ann/{ONE}.ipynb"),
        f"ann/{TWO}.ipynb": ("ann", TWO, "ignored", "as it was handed out"),
        "ann/notes.txt": ("ann", "", "ignored", "no notebook or script"),
        "ann/example.py": ("ann", "", "ignored", "as it was handed out"),
        f"bob/{ONE}.ipynb": ("bob", ONE, "graded", ""),
    }
    assert intake.undecided == ()


def test_the_last_attempt_counts_and_the_student_is_told(root: Path, exercises: list[Exercise]) -> None:
    for time in ("2026-11-20-10-11-12", "2026-11-21-09-00-00"):
        put(root / f"Lab 1_bwu3_attempt_{time}.txt", "Name: Bo Wu")
        put(root / f"Lab 1_bwu3_attempt_{time}_{ONE}.ipynb", f"{ANSWER} + {time[9]}")
    put(root / f"Lab 1_alee9_attempt_2026-11-20-10-11-12_{ONE}.ipynb")
    intake = find_submissions(root, exercises)
    alee, bwu = intake.rows
    assert (alee.student, bwu.student) == ("alee9", "bwu3")
    assert bwu.path is not None
    assert "2026-11-21" in bwu.path.name
    assert bwu.notes == ("Of 2 attempts the last counts, of 2026-11-21-09-00-00.",)
    assert "earlier attempt" in {fate.what for fate in intake.fates}


def test_a_notebook_counts_before_the_script_that_jupytext_makes_of_it(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    put(root / "ann" / f"{ONE}.py", f"# ---\n# jupytext: {{}}\n# ---\n\n# %%\n{ANSWER}\n")
    put(root / "bob" / f"{ONE}.ipynb")
    put(root / "bob" / f"{ONE}.py", ANSWER.replace("1", "g(2)"))
    ann, bob = find_submissions(root, exercises).rows
    assert ann.path == root / "ann" / f"{ONE}.ipynb"
    assert (bob.path, bob.withheld) == (None, True)


def test_an_older_handout_is_no_rival(root: Path, exercises: list[Exercise]) -> None:
    """A notebook in which no function is written counts for nothing beside one with an answer."""
    put(root / "ann" / f"{ONE}.ipynb")
    put(root / "ann" / f"{ONE}.zh-TW.ipynb", "print('another release')")
    put(root / "ann" / f"{ONE} (1).ipynb", "def f():\n    raise NotImplementedError\n\nprint('another release')")
    (found,) = find_submissions(root, exercises).rows
    assert found.path == root / "ann" / f"{ONE}.ipynb"


def test_a_module_beside_the_notebook_is_named_to_the_student(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb", f"from quant_utils import h\n{ANSWER}")
    put(root / "ann" / "quant_utils.py", "def h():\n    return 1")
    put(root / "bob" / f"{ONE}.ipynb", f"%%writefile quant_utils.py\nh = 1\nfrom quant_utils import h\n{ANSWER}")
    put(root / "bob" / "quant_utils.py", "def h():\n    return 1")
    ann, bob = find_submissions(root, exercises).rows
    assert ann.notes == (
        f"{ONE}.ipynb imports quant_utils, which lies beside the notebook; only the notebook is graded: put it into a "
        "%%writefile cell.",
    )
    assert bob.notes == ()


def test_a_helper_with_one_of_many_graded_names_is_no_rival(root: Path, exercises: list[Exercise]) -> None:
    names = ("f", "h", "i", "j")
    lab = replace(exercises[0], tasks=(replace(exercises[0].tasks[0], functions=names),))
    put(root / "ann" / "lab.ipynb", "from quant_utils import f\n" + "\n".join(f"{name} = 1" for name in names[1:]))
    put(root / "ann" / "quant_utils.py")
    put(root / "bob" / "lab.ipynb")
    intake = find_submissions(root, [lab])
    assert [row.path and row.path.name for row in intake.rows] == ["lab.ipynb", "lab.ipynb"]
    assert [fate.why for fate in intake.fates if fate.what == "ignored"] == ["binds 1 of the 4 graded names"]


def test_a_fault_of_our_own_is_nobodys_problem(
    root: Path, exercises: list[Exercise], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the reader could not be asked about is withheld, and never a 0."""
    put(root / "ann" / "lab.ipynb")
    put(root / "bob" / "mine.ipynb", f"{ANSWER} + 1")
    seen = reading.look

    def broken(path: Path, labs: Sequence[Exercise]) -> Record:
        return (
            Record(name=path.name, fault="The reader itself failed.") if path.name == "mine.ipynb" else seen(path, labs)
        )

    monkeypatch.setattr(reading, "look", broken)
    intake = find_submissions(root, exercises)
    assert [(row.student, row.problem, row.withheld) for row in intake.rows] == [
        ("ann", "", False),
        ("bob", "The reader itself failed.", True),
    ]
    assert [fate.path for fate in intake.undecided] == ["bob/mine.ipynb"]


def test_more_files_than_anybody_hands_in_are_not_looked_at(
    root: Path, exercises: list[Exercise], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person's flood delays nobody else."""
    monkeypatch.setattr("autograder.grading.seen._MOST_LOOKS", 3)
    for number in range(5):
        put(root / "eve" / f"x{number}.py", f"x = {number}")
        put(root / f"s{number}" / "lab.ipynb", f"{ANSWER} + {number}")
    intake = find_submissions(root, exercises)
    assert [row.student for row in intake.rows if row.path] == ["s0", "s1", "s2", "s3", "s4"]
    said = [fate.why for fate in intake.fates if fate.owner == "eve"]
    assert said.count("eve holds more files than are looked at; hand in one notebook.") == 2


# --- what is kept -------------------------------------------------------------------------------------------------


def test_fates_are_kept_beside_the_grades(root: Path, exercises: list[Exercise], tmp_path: Path) -> None:
    put(root / "ann" / "lab.ipynb")
    put(root / "王小明" / "lab.ipynb", "def f(): return 2")
    intake = find_submissions(root, exercises)
    write_intake(tmp_path, intake, ["A note."])
    assert read_intake(tmp_path) == (intake.fates, ("A note.",))
    assert intake.summary == "2 files came in: 2 graded"
    (tmp_path / "intake.json").write_text("damaged")
    assert read_intake(tmp_path) == ((), ())


def test_a_refused_file_may_be_called_like_a_folder(root: Path, exercises: list[Exercise]) -> None:
    """As fuzzing made it: an archive's entry is a file and a folder named like a lab."""
    put(root / f"{ONE}.py" / "lab.ipynb")
    refused = [Entry((f"{ONE}.py",), None, "is a file and a folder at once.")]
    assert [row.problem for row in find_submissions(root, exercises, refused=refused).rows] == [""]
