"""Who handed in what: every layout of a class's folder, and nobody is lost in silence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from autograder.grading.found import Found
from autograder.grading.intake import Intake, find_submissions
from autograder.grading.people import file_name
from autograder.records import Exercise, Limits, PtqlabError, Task

LAYOUTS = "Expected a notebook (.ipynb), a script (.py), or a folder or archive of them"
ONE, TWO = "01_first", "02_second"


@pytest.fixture
def exercises(tmp_path: Path) -> list[Exercise]:
    """Two exercises, whose notebooks as handed out hold `stub`."""
    found = []
    for number, slug in ((1, ONE), (2, TWO)):
        folder = tmp_path / "course" / slug
        put(folder / f"{slug}.ipynb", "stub")
        put(folder / f"{slug}.zh-TW.ipynb", "stub")
        found.append(Exercise(slug, {}, (Task(f"{number}.1", {}, ("f",), 1.0, {}),), Limits(), folder))
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "class").mkdir()
    return tmp_path / "class"


def put(path: Path, code: str = "x = 1") -> Path:
    """A notebook, or a script, of this code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"cells": [{"cell_type": "code", "source": code}]}) if path.suffix == ".ipynb" else code
    path.write_text(text)
    return path


def rows(intake: Intake, root: Path) -> list[tuple[str, str, str]]:
    return [(f.student, f.exercise, f.path.relative_to(root).as_posix() if f.path else f.problem) for f in intake.rows]


# --- layouts ------------------------------------------------------------------------------------------------------


def test_students_folders_with_exercises(root: Path, exercises: list[Exercise]) -> None:
    for name in (f"bob/{ONE}.py", f"ann/{TWO}.ipynb", f"ann/{ONE}.ipynb"):
        put(root / name)
    assert rows(find_submissions(root, exercises), root) == [
        ("ann", ONE, f"ann/{ONE}.ipynb"),
        ("ann", TWO, f"ann/{TWO}.ipynb"),
        ("bob", ONE, f"bob/{ONE}.py"),
    ]


def test_nbgraders_submitted_folder(root: Path, exercises: list[Exercise]) -> None:
    for name in (f"ann/ps1/{ONE}.ipynb", f"ann/ps1/{TWO}.ipynb", f"bob/{ONE}/{ONE}.ipynb"):
        put(root / name)
    (root / "ann" / "ps1" / "timestamp.txt").write_text("2025-01-01")
    assert rows(find_submissions(root, exercises), root) == [
        ("ann", ONE, f"ann/ps1/{ONE}.ipynb"),
        ("ann", TWO, f"ann/ps1/{TWO}.ipynb"),
        ("bob", ONE, f"bob/{ONE}/{ONE}.ipynb"),
    ]


@pytest.mark.parametrize("only", [ONE, "01", "1.1"])
def test_one_exercise_of_many(root: Path, exercises: list[Exercise], only: str) -> None:
    for name in (f"ann/{TWO}.ipynb", f"ann/{ONE}.ipynb"):
        put(root / name)
    assert rows(find_submissions(root, exercises, only), root) == [("ann", ONE, f"ann/{ONE}.ipynb")]


def test_a_flat_folder_of_students(root: Path, exercises: list[Exercise]) -> None:
    for name in ("bob.ipynb", "ann lee.py", "王小明.zh-TW.ipynb", "conftest.py", "test_public.py", "README.md"):
        put(root / name)
    assert rows(find_submissions(root, exercises, ONE), root) == [
        ("ann lee", ONE, "ann lee.py"),
        ("bob", ONE, "bob.ipynb"),
        ("王小明", ONE, "王小明.zh-TW.ipynb"),
    ]


def test_folders_without_code_lie_beside_a_flat_folder(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann.ipynb")
    (root / "images").mkdir()
    (root / "bob.ipynb").symlink_to(root / "images")
    assert rows(find_submissions(root, exercises, ONE), root) == [("ann", ONE, "ann.ipynb"), ("bob", ONE, "bob.ipynb")]


def test_a_flat_folder_needs_an_exercise_unless_there_is_only_one(root: Path, exercises: list[Exercise]) -> None:
    put(root / "bob.ipynb")
    with pytest.raises(PtqlabError) as error:
        find_submissions(root, exercises)
    assert str(error.value) == (
        f"Expected files that bind the graded names of an exercise ({ONE}, {TWO}) or are called like it, but bob.ipynb "
        "came; give --exercise, or rename them."
    )
    assert rows(find_submissions(root, exercises[:1]), root) == [("bob", ONE, "bob.ipynb")]


def test_one_students_folder(root: Path, exercises: list[Exercise]) -> None:
    put(root / f"{ONE}.ipynb")
    put(root / "notes.ipynb")
    assert rows(find_submissions(root, exercises), root) == [("class", ONE, f"{ONE}.ipynb")]
    (root / "notes.ipynb").unlink()
    assert rows(find_submissions(root, exercises, ONE), root) == [("class", ONE, f"{ONE}.ipynb")]


def test_a_folder_that_is_called_like_a_file_is_a_folder(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann.ipynb" / f"{ONE}.ipynb")
    assert rows(find_submissions(root, exercises), root) == [("ann.ipynb", ONE, f"ann.ipynb/{ONE}.ipynb")]


def test_one_students_folder_in_nbgraders_layout(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / ONE / f"{ONE}.ipynb")
    assert rows(find_submissions(root / "ann", exercises), root) == [("ann", ONE, f"ann/{ONE}/{ONE}.ipynb")]


def test_the_working_folder_is_a_folder_like_any_other(
    root: Path, exercises: list[Exercise], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root / f"{ONE}.ipynb")
    monkeypatch.chdir(root)
    assert [found.student for found in find_submissions(Path(), exercises).rows] == ["class"]
    assert [found.student for found in find_submissions(Path(f"{ONE}.ipynb"), exercises).rows] == ["class"]


@pytest.mark.parametrize(
    ("name", "only", "student", "slug"),
    [
        ("ann.ipynb", TWO, "ann", TWO),
        ("ann.py", "2", "ann", TWO),
        (f"ann/{ONE}.ipynb", None, "ann", ONE),
        (f"ann/{ONE}.zh-TW.ipynb", None, "ann", ONE),
        (f"ann/{ONE.upper()}.ipynb", None, "ann", ONE),
        (f"ann/{ONE}/{ONE}.py", None, "ann", ONE),
        ("ann.zh-tw.ipynb", ONE, "ann", ONE),
    ],
)
def test_one_file(root: Path, exercises: list[Exercise], name: str, only: str | None, student: str, slug: str) -> None:
    path = put(root / name)
    assert find_submissions(path, exercises, only).rows == (Found(student, slug, path),)


def test_one_file_of_any_name_needs_an_exercise(root: Path, exercises: list[Exercise]) -> None:
    path = put(root / "ann.ipynb")
    with pytest.raises(PtqlabError) as error:
        find_submissions(path, exercises)
    assert str(error.value) == (
        f"Expected a file that binds the graded names of an exercise ({ONE}, {TWO}), but ann.ipynb came; give --exercise."
    )
    assert find_submissions(path, exercises[:1]).rows == (Found("ann", ONE, path),)


# --- which file counts --------------------------------------------------------------------------------------------


def test_of_two_languages_the_changed_one_counts(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb", "stub")
    put(root / "ann" / f"{ONE}.zh-TW.ipynb", "answer")
    put(root / "bob" / f"{ONE}.ipynb", "answer")
    put(root / "bob" / f"{ONE}.zh-TW.ipynb", "stub")
    assert rows(find_submissions(root, exercises), root) == [
        ("ann", ONE, f"ann/{ONE}.zh-TW.ipynb"),
        ("bob", ONE, f"bob/{ONE}.ipynb"),
    ]


def test_two_changed_notebooks_are_withheld_with_a_word_why(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / "first try" / f"{ONE}.ipynb", "answer")
    put(root / "ann" / "second try" / f"{ONE}.ipynb", "another")
    put(root / "bob" / f"{ONE}.ipynb", "answer")
    found, _ = find_submissions(root, exercises).rows
    assert (found.path, found.withheld) == (None, True)
    assert found.problem == (
        f"Expected one file that differs from what was handed out, but first try/{ONE}.ipynb and "
        f"second try/{ONE}.ipynb do; keep the one that counts."
    )


def test_in_a_flat_folder_too(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann.ipynb", "stub")
    put(root / "ann.py", "answer")
    assert rows(find_submissions(root, exercises, ONE), root) == [("ann", ONE, "ann.py")]


# --- nobody is lost -----------------------------------------------------------------------------------------------


def test_a_folder_without_a_matching_file_is_found_with_a_problem(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    put(root / "bob" / "my lab.ipynb")
    put(root / "bob" / "old" / "tries.py")
    (root / "eve").mkdir()
    found = find_submissions(root, exercises)
    assert rows(found, root)[1:] == [
        ("bob", ONE, f"Expected {ONE}.ipynb or {ONE}.py, but my lab.ipynb, tries.py came; hand it in under that name."),
        ("eve", ONE, f"Expected {ONE}.ipynb or {ONE}.py, but no notebook at all came; hand it in under that name."),
    ]
    assert not any(row.withheld for row in found.rows)


def test_a_student_with_another_exercise_than_the_one_asked_for_is_found_with_a_problem(
    root: Path, exercises: list[Exercise]
) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    put(root / "bob" / f"{TWO}.ipynb")
    found = find_submissions(root, exercises, ONE)
    assert rows(found, root)[1] == (
        "bob",
        ONE,
        f"Expected {ONE}.ipynb or {ONE}.py, but {TWO}.ipynb ({TWO}) came.",
    )
    assert len(find_submissions(root, exercises).rows) == 2


def test_links_are_not_followed(root: Path, exercises: list[Exercise], tmp_path: Path) -> None:
    put(tmp_path / "secret" / f"{ONE}.ipynb")
    put(root / "ann" / f"{ONE}.ipynb")
    (root / "bob").symlink_to(tmp_path / "secret")
    (root / "eve").symlink_to(tmp_path / "nowhere")
    (root / "joe").mkdir()
    (root / "joe" / f"{ONE}.ipynb").symlink_to(tmp_path / "secret" / f"{ONE}.ipynb")
    (root / "kim").mkdir()
    (root / "kim" / "ps1").symlink_to(tmp_path / "secret")
    found = {row.student: row for row in find_submissions(root, exercises).rows}
    assert found["bob"].problem == "bob is a symbolic link, which is not followed; hand in the folder itself."
    assert found["eve"].problem == "eve is a symbolic link, which is not followed; hand in the folder itself."
    assert found["kim"].problem == "ps1 is a symbolic link, which is not followed; hand in the folder itself."
    assert found["joe"].read(exercises[0]).problem == (
        f"{ONE}.ipynb is a symbolic link, which is not followed; hand in the file itself."
    )
    assert all(found[name].path is None for name in ("bob", "eve", "kim"))


def test_a_folder_that_cannot_be_listed_is_found_with_a_problem(
    root: Path, exercises: list[Exercise], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    (root / "bob").mkdir()
    listed = Path.iterdir

    def refuse(path: Path) -> object:
        if path.name == "bob":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert rows(find_submissions(root, exercises), root)[1] == (
        "bob",
        ONE,
        "The folder bob cannot be read: Permission denied; mend its permissions.",
    )


def test_hidden_files_and_archives_leavings_are_ignored(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb")
    for name in ("ann/.ipynb_checkpoints", "__MACOSX", ".git", "ann/__pycache__", "__MACOSX/ann"):
        put(root / name / f"{ONE}.ipynb", "other")
    put(root / "ann" / f"._{ONE}.ipynb", "other")
    assert rows(find_submissions(root, exercises), root) == [("ann", ONE, f"ann/{ONE}.ipynb")]


# --- what cannot be told ------------------------------------------------------------------------------------------


def test_a_path_that_does_not_exist(root: Path, exercises: list[Exercise]) -> None:
    with pytest.raises(PtqlabError) as error:
        find_submissions(root / "none", exercises)
    assert str(error.value) == f"{LAYOUTS}, but {root / 'none'} does not exist; check the path."


def test_a_folder_of_nothing(root: Path, exercises: list[Exercise]) -> None:
    (root / "grades.csv").write_text("x")
    with pytest.raises(PtqlabError) as error:
        find_submissions(root, exercises)
    assert str(error.value) == f"{LAYOUTS}, but {root} holds none of these; check the path."


def test_a_root_that_cannot_be_listed(root: Path, exercises: list[Exercise], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PtqlabError) as error:
        find_submissions(root, exercises)
    assert str(error.value) == f"{LAYOUTS}, but {root} cannot be read (Permission denied); check the path."


def test_folders_in_which_nothing_matches(root: Path, exercises: list[Exercise]) -> None:
    for student in ("ann", "bob", "eve", "joe"):
        put(root / student / "lab.ipynb")
    with pytest.raises(PtqlabError) as error:
        find_submissions(root, exercises)
    assert str(error.value) == (
        f"Expected files that bind the graded names of an exercise ({ONE}, {TWO}) or are called like it, but "
        "ann/lab.ipynb, bob/lab.ipynb, eve/lab.ipynb came; give --exercise, or rename them."
    )


def test_an_unknown_exercise(root: Path, exercises: list[Exercise]) -> None:
    with pytest.raises(PtqlabError, match="there is none called '7'"):
        find_submissions(root, exercises, "7")


def test_a_name_that_is_no_utf8_is_written_out(root: Path, exercises: list[Exercise]) -> None:
    try:
        put(root / os.fsdecode(b"ren\xe9") / f"{ONE}.ipynb")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (found,) = find_submissions(root, exercises).rows
    assert found.student == "ren\\xe9"
    assert found.folder_name == file_name("ren\\xe9")
    assert found.read(exercises[0]).problem == ""


def test_a_problem_is_read_as_a_record_with_a_problem(root: Path, exercises: list[Exercise]) -> None:
    record = Found("bob", ONE, None, "There is none.").read(exercises[0])
    assert (record.problem, record.sha256, record.code) == ("There is none.", "", None)


def test_an_untouched_notebook_says_so(root: Path, exercises: list[Exercise]) -> None:
    put(root / "ann" / f"{ONE}.ipynb", "stub")
    (found,) = find_submissions(root, exercises).rows
    code = found.read(exercises[0]).code
    assert code is not None
    assert code.notes[0] == "The code is as it was handed out: nothing has been written yet."
