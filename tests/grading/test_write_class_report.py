"""A folder of grades becomes a page; code is compared where it is at hand, and what was compared is kept."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from autograder.course.sources import reference_source
from autograder.grading import class_report, similarity
from autograder.grading.class_report import FINGERPRINTS, Gathered, write_class_report
from autograder.grading.code_fingerprint import Code, code_of
from autograder.grading.found import Found
from autograder.grading.intake import find_submissions
from autograder.grading.people import file_name
from autograder.records import Exercise, Limits, PtqlabError, Report, Task, TaskScore
from autograder.report.to_json import report_to_json
from autograder.sandbox import reading
from autograder.submission.record import Record

SLUG = "01_basic_quantization"
REFERENCE = reference_source(ROOT / "solutions" / SLUG / "source.py")
STUDENTS = {
    "ann": REFERENCE,
    "bob <b>": REFERENCE.replace("tensor", "x_in") + "\n# all mine\n",
    "cee": REFERENCE.replace("scale", "s") + "\ndef helper(a):\n    return a + 1\n",
    "dan": "def dequantize(q, scale, zero_point=0):\n    return (q.float() - zero_point) * scale\n",
    "eve": "def broken(:\n",
}


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    folder = tmp_path / "exercises" / SLUG
    folder.mkdir(parents=True)
    task = Task("1.1", {"en": "A task"}, ("f",), 4.0, {})
    return Exercise(SLUG, {"en": "Lab"}, (task,), Limits(), folder)


def a_report(student: str, sha256: str) -> Report:
    task = TaskScore("1.1", {"en": "A task"}, 4.0, 4.0, False, "full", {}, (), ())
    return Report(
        student,
        SLUG,
        {"en": "Lab"},
        4.0,
        4.0,
        "graded",
        "",
        "0.1.0",
        "a" * 64,
        "b" * 64,
        1,
        "cpu",
        "jail",
        Limits(),
        sha256,
        0.5,
        (),
        (task,),
    )


@pytest.fixture
def graded(tmp_path: Path) -> tuple[Path, Path]:
    """(submissions, their grades), as `ptqlab grade` leaves them."""
    handed_in, out = tmp_path / "in", tmp_path / "out"
    for student, code in STUDENTS.items():
        (handed_in / student).mkdir(parents=True)
        (handed_in / student / f"{SLUG}.py").write_text(code, encoding="utf-8")
        place = out / file_name(student) / f"{SLUG}.json"
        place.parent.mkdir(parents=True)
        place.write_text(report_to_json(a_report(student, hashlib.sha256(code.encode()).hexdigest())), encoding="utf-8")
    return handed_in, out


def found_in(folder: Path, exercise: Exercise) -> tuple[Found, ...]:
    return find_submissions(folder, [exercise]).rows


def test_the_page_names_who_shares_code_and_links_every_student(graded: tuple[Path, Path], exercise: Exercise) -> None:
    handed_in, out = graded
    page = write_class_report(out, [exercise], found_in(handed_in, exercise)).read_text(encoding="utf-8")
    groups = page[page.index('class="groups"') :].partition("</ul>")[0]
    assert "3 students" in groups
    assert [name in groups for name in ("ann", "bob &lt;b&gt;", "cee", "dan", "eve")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert f'<a href="{file_name("bob <b>")}/{SLUG}.html"><bdi>bob &lt;b&gt;</bdi></a>' in page
    assert "Of 3 submissions" in page, "dan wrote too little, and eve nothing that parses"


def test_the_total_of_several_exercises_ends_at_the_points_of_the_course(tmp_path: Path, exercise: Exercise) -> None:
    """The course is worth 4 + 3 points; an exercise that is bonus altogether adds to what is earned alone."""
    other = replace(exercise, slug="02_x", tasks=(replace(exercise.tasks[0], points=3.0),))
    bonus = replace(exercise, slug="05_x", tasks=(replace(exercise.tasks[0], bonus=True),))
    (tmp_path / "ann").mkdir()
    for slug, earned, possible in (("01_x", 4.0, 4.0), ("05_x", 3.5, 0.0)):
        report = replace(a_report("ann", "0"), exercise=slug, earned=earned, possible=possible)
        (tmp_path / "ann" / f"{slug}.json").write_text(report_to_json(report), encoding="utf-8")
    course = [replace(exercise, slug="01_x"), other, bonus]
    totals = [
        re.findall(r'class="total">([^<]*)<', write_class_report(tmp_path, part).read_text(encoding="utf-8"))
        for part in (course, [course[0], bonus], [bonus])
    ]
    assert totals == [["7"], ["4"], ["4"]], "of 7.5 earned; a part of the course is worth what its exercises are"


def test_without_the_submissions_what_was_kept_is_used(graded: tuple[Path, Path], exercise: Exercise) -> None:
    handed_in, out = graded
    first = write_class_report(out, [exercise], found_in(handed_in, exercise)).read_text(encoding="utf-8")
    assert write_class_report(out, [exercise]).read_text(encoding="utf-8") == first
    (out / FINGERPRINTS).unlink()
    assert "give the folder of submissions" in write_class_report(out, [exercise]).read_text(encoding="utf-8")


def test_what_was_gathered_is_not_read_again_and_the_page_is_the_same(
    graded: tuple[Path, Path], exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_in, out = graded
    found = found_in(handed_in, exercise)
    first = write_class_report(out, [exercise], found).read_text(encoding="utf-8")
    (out / FINGERPRINTS).unlink()
    gathered, left, read_one = Gathered(), ["dan"], reading.read
    for student in sorted(set(STUDENTS) - set(left), reverse=True):  # in whichever order they are ready
        sha256 = hashlib.sha256(STUDENTS[student].encode()).hexdigest()
        (path,) = (item.path for item in found if item.student == student and item.path)
        gathered.add(a_report(student, sha256), code_of(read_one(path, exercise)) if student != "cee" else None)
    read: list[str] = []
    monkeypatch.setattr(reading, "read", lambda path, *more: (read.append(path.parent.name), read_one(path, *more))[1])
    for student in set(STUDENTS) - set(left):
        (out / file_name(student) / f"{SLUG}.json").write_text("damaged, which only who reads it would notice")
    assert write_class_report(out, [exercise], found, gathered=gathered).read_text(encoding="utf-8") == first
    assert sorted(read) == ["cee", "dan"], "those whose code nobody has gathered"


def test_code_of_another_file_than_was_graded_is_not_compared(graded: tuple[Path, Path], exercise: Exercise) -> None:
    handed_in, out = graded
    gathered = Gathered()
    for student, text in STUDENTS.items():
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        gathered.add(a_report(student, sha256), Code("f" * 64, "of what was there a moment later"))
    write_class_report(out, [exercise], found_in(handed_in, exercise), gathered=gathered)
    assert not (out / FINGERPRINTS).exists()


def test_what_is_kept_holds_no_code(graded: tuple[Path, Path], exercise: Exercise) -> None:
    handed_in, out = graded
    write_class_report(out, [exercise], found_in(handed_in, exercise))
    kept = json.loads((out / FINGERPRINTS).read_text(encoding="utf-8"))["submissions"]
    assert set(kept) == {f"{file_name(student)}/{SLUG}" for student in STUDENTS}
    assert not [
        word for word in ("tensor", "def ", "return", "torch") if word in str([e["code"] for e in kept.values()])
    ]


def test_code_counts_only_while_it_is_what_was_graded(graded: tuple[Path, Path], exercise: Exercise) -> None:
    """A file that changed after grading says nothing about the grade; one that was graded anew is read anew."""
    handed_in, out = graded
    write_class_report(out, [exercise], found_in(handed_in, exercise))
    changed = REFERENCE + "\ndef more():\n    return 1\n"
    (handed_in / "ann" / f"{SLUG}.py").write_text(changed, encoding="utf-8")
    place = out / "ann" / f"{SLUG}.json"
    place.write_text(report_to_json(a_report("ann", hashlib.sha256(b"graded anew").hexdigest())), encoding="utf-8")
    page = write_class_report(out, [exercise], found_in(handed_in, exercise)).read_text(encoding="utf-8")
    assert "2 students" in page, "ann's file is neither the old nor the graded one"
    place.write_text(report_to_json(a_report("ann", hashlib.sha256(changed.encode()).hexdigest())), encoding="utf-8")
    page = write_class_report(out, [exercise], found_in(handed_in, exercise)).read_text(encoding="utf-8")
    assert "3 students" in page


def test_what_the_notebooks_give_everybody_makes_nobody_alike(graded: tuple[Path, Path], exercise: Exercise) -> None:
    handed_in, out = graded
    cells = [
        {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": REFERENCE}
    ]
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (exercise.folder / f"{SLUG}.ipynb").write_text(json.dumps(book), encoding="utf-8")
    page = write_class_report(out, [exercise], found_in(handed_in, exercise)).read_text(encoding="utf-8")
    assert "Of 0 submissions, no two share 90 % of their code." in page


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 0, "submissions": {}}', '{"format": 1, "submissions": {"a": 3}}']
)
def test_damaged_fingerprints_are_made_again(content: str, graded: tuple[Path, Path], exercise: Exercise) -> None:
    handed_in, out = graded
    (out / FINGERPRINTS).write_text(content, encoding="utf-8")
    page = write_class_report(out, [exercise], found_in(handed_in, exercise)).read_text(encoding="utf-8")
    assert "3 students" in page


def test_fingerprints_of_another_format_are_made_again(graded: tuple[Path, Path], exercise: Exercise) -> None:
    handed_in, out = graded
    write_class_report(out, [exercise], found_in(handed_in, exercise))
    kept = json.loads((out / FINGERPRINTS).read_text(encoding="utf-8"))
    for entry in kept["submissions"].values():
        entry["code"] = "another normal form"
    (out / FINGERPRINTS).write_text(json.dumps(kept | {"format": 0}), encoding="utf-8")
    page = write_class_report(out, [exercise], found_in(handed_in, exercise)).read_text(encoding="utf-8")
    assert "3 students" in page


def test_without_rapidfuzz_there_is_a_page_that_says_so(
    graded: tuple[Path, Path], exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_report, "find_spec", lambda name: None)
    monkeypatch.setattr(similarity, "groups", lambda *_: pytest.fail("it cannot compare"))
    page = write_class_report(graded[1], [exercise], found_in(graded[0], exercise)).read_text(encoding="utf-8")
    assert "RapidFuzz is not installed (pip install &#39;ptqlab[grade]&#39;)" in page


def test_a_folder_without_reports_is_an_error_with_a_cure(tmp_path: Path, exercise: Exercise) -> None:
    with pytest.raises(PtqlabError, match=r"^Expected reports below .*; give the --out folder of `ptqlab grade`\.$"):
        write_class_report(tmp_path, [exercise])
    assert not (tmp_path / "class.html").exists()


def ptqlab(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("ptqlab")), *map(str, arguments), "--course", str(ROOT)]
    return subprocess.run(command, capture_output=True, text=True, cwd="/")


def test_the_command_makes_the_page_again_in_either_language(graded: tuple[Path, Path]) -> None:
    handed_in, out = graded
    done = ptqlab("report", out, "--submissions", handed_in, "--language", "zh-TW")
    assert (done.returncode, done.stdout) == (0, f"wrote {out / 'class.html'}\n"), done.stderr
    page = (out / "class.html").read_text(encoding="utf-8")
    assert "全班報告" in page
    assert "3 名學生" in page
    (out / "assignment.json").write_text('{"seed": 1, "language": "zh-TW"}', encoding="utf-8")
    write_class_report(out, [])
    assert "全班報告" in (out / "class.html").read_text(encoding="utf-8"), "as the class was graded"
    write_class_report(out, [], language="en")
    assert "Class report" in (out / "class.html").read_text(encoding="utf-8")


def test_code_that_our_own_fault_keeps_from_being_read_costs_nobody_the_page(
    graded: tuple[Path, Path], exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code is not known afterwards, and is read when the page is made again."""

    def fails(path: Path, *more: Any) -> Record:
        return (
            Record(name=path.name, sha256="a" * 64, fault="x") if path.parent.name == "bob <b>" else read(path, *more)
        )

    handed_in, out = graded
    read = reading.read
    monkeypatch.setattr(reading, "read", fails)
    write_class_report(out, [exercise], found_in(handed_in, exercise))
    kept = json.loads((out / FINGERPRINTS).read_text(encoding="utf-8"))["submissions"]
    assert {entry["student"] for entry in kept.values()} == set(STUDENTS) - {"bob <b>"}
