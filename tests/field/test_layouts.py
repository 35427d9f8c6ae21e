"""What platforms, browsers and students make of a class's folder: who handed in what, and what became of every file.

Each situation is one that users of grading tools have reported; the source stands beside it.
"""

from __future__ import annotations

import io
import json
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from support import ROOT

from autograder.course.catalog import find_exercises
from autograder.exports.classroom import starter_repository
from autograder.grading.archives import opened
from autograder.grading.intake import Intake, find_submissions
from autograder.records import Exercise

COURSE = find_exercises(ROOT)
LAB = COURSE[0]
SLUG = LAB.slug
FILE = f"{SLUG}.ipynb"


def answer(text: str = "0") -> bytes:
    """Lab 01's notebook with something written into its first function."""
    book = json.loads((LAB.folder / FILE).read_text(encoding="utf-8"))
    at = next(
        number for number, cell in enumerate(book["cells"]) if f"def {LAB.functions[0]}(" in "".join(cell["source"])
    )
    source = "".join(book["cells"][at]["source"])
    assert "raise NotImplementedError" in source
    book["cells"][at]["source"] = source.replace("raise NotImplementedError", f"return {text} #", 1)
    return json.dumps(book).encode()


ANSWER = answer()


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def unmarked(files: Mapping[bytes, bytes]) -> bytes:
    """A zip as Explorer writes it: names in the user's encoding, without a word of which one that is."""
    stand_ins = {chr(ord("a") + number) * len(name): name for number, name in enumerate(files)}
    data = zipped(dict(zip(stand_ins, files.values(), strict=True)))
    for stand_in, name in stand_ins.items():
        data = data.replace(stand_in.encode(), name)
    return data


def taken_in(path: Path, only: str | None = None, exercises: tuple[Exercise, ...] = COURSE) -> Intake:
    with opened(path) as view:
        return find_submissions(view.root, exercises, only, view.refused)


def graded(path: Path, only: str | None = None) -> list[str]:
    """The students whose lab 01 is graded; everybody must be."""
    intake = taken_in(path, only)
    assert not intake.undecided, intake.undecided
    assert all(row.path is not None and row.exercise == SLUG for row in intake.rows), intake.rows
    return [row.student for row in intake.rows]


WORK = {
    f"{SLUG}/{FILE}": ANSWER,
    f"{SLUG}/{SLUG}.zh-TW.ipynb": (LAB.folder / f"{SLUG}.zh-TW.ipynb").read_bytes(),
    f"{SLUG}/exercise.toml": (LAB.folder / "exercise.toml").read_bytes(),
    f"{SLUG}/test_public.py": (LAB.folder / "test_public.py").read_bytes(),
    f"{SLUG}/.ipynb_checkpoints/{SLUG}-checkpoint.ipynb": answer("1"),
    f"__MACOSX/{SLUG}/._{FILE}": b"\0",
}
BOOKS = {each.slug: (each.folder / f"{each.slug}.ipynb").read_bytes() for each in COURSE}
CLASSES: dict[str, tuple[Mapping[str, bytes], list[str]]] = {
    # canvas-lms lib/content_zipper.rb: anonymous assignments, ids of letters and of digits, LATE in front
    "Canvas, anonymous": (
        {
            f"anon_a1B2c_901_{FILE}": ANSWER,
            f"LATE_anon_Zq9Kx_902_{FILE}": ANSWER,
            f"anon_77123_903_{SLUG}-1.ipynb": ANSWER,
        },
        ["anon_77123", "anon_Zq9Kx", "anon_a1B2c"],
    ),
    "Canvas": (
        {f"leeann_71_901_{FILE}": ANSWER, f"wangming_LATE_72_902_{FILE}": ANSWER},
        ["leeann_71", "wangming_72"],
    ),
    # moodle: the user preference assign_downloadasfolders
    "Moodle, files": (
        {
            f"Ann Lee_71_assignsubmission_file_{FILE}": ANSWER,
            f"王小明_72_assignsubmission_file_{FILE}": ANSWER,
        },
        ["Ann Lee_71", "王小明_72"],
    ),
    "Moodle, folders": (
        {
            f"Ann Lee_71_assignsubmission_file_/{FILE}": ANSWER,
            f"王小明_72_assignsubmission_file_/work/{SLUG} (1).ipynb": ANSWER,
        },
        ["Ann Lee_71", "王小明_72"],
    ),
    # jupyter/nbgrader#511, #724
    "Blackboard, two attempts": (
        {
            "Lab 1_alee9_attempt_2026-11-20-10-11-12.txt": b"Name: Ann Lee (alee9)",
            f"Lab 1_alee9_attempt_2026-11-20-10-11-12_{FILE}": ANSWER,
            f"Lab 1_bwu3_attempt_2026-11-20-11-00-00_{FILE}": ANSWER,
            f"Lab 1_bwu3_attempt_2026-11-21-09-00-00_{FILE}": answer("1"),
        },
        ["alee9", "bwu3"],
    ),
    # squell/bb-scripts#54, #48
    "Brightspace, two attempts": (
        {
            "index.html": b"<html></html>",
            f"123456-98765 - Ann Lee - Nov 20, 2026 1011 AM/{FILE}": ANSWER,
            f"123457-98765 - Bo O'Neil - Nov 20, 2026 1101 PM/{FILE}": ANSWER,
            f"123457-98765 - Bo O'Neil - Nov 21, 2026 901 AM/{FILE}": answer("1"),
        },
        ["123456-98765 - Ann Lee", "123457-98765 - Bo O'Neil"],
    ),
    "Gradescope": (
        {
            "assignment_7_export/submission_metadata.yml": (
                b"submission_11:\n  :submitters:\n  - :name: Ann Lee\n    :sid: '71'\n"
                b"submission_12:\n  :submitters:\n  - :name: Bo Wu\n    :sid: '72'\n"
            ),
            "assignment_7_export/submission_11/lab.ipynb": ANSWER,
            f"assignment_7_export/submission_12/{FILE}": ANSWER,
        },
        ["Ann Lee_71", "Bo Wu_72"],
    ),
    # drop-project#101; Submitty#95, #742
    "zipped working folders": (
        {
            f"leeann_71_901_{SLUG}.zip": zipped(WORK),
            "wangming_72_902_ptq.zip": zipped(
                {f"ptq/exercises/{name}": data for name, data in WORK.items()}
                | {f"ptq/exercises/{slug}/{slug}.ipynb": data for slug, data in BOOKS.items() if slug != SLUG}
                | {"ptq/START.md": b"#", "ptq/.venv/lib/python3.11/site-packages/x.py": b"def dequantize(): 1"}
            ),
            "okafor_73_903_exercises.zip": zipped({f"exercises/{name}": data for name, data in WORK.items()}),
            "diaz_74_904_lab.zip": zipped({name.partition("/")[2]: data for name, data in WORK.items()}),
            f"kim_75_905_{FILE}": ANSWER,
        },
        ["diaz_74", "kim_75", "leeann_71", "okafor_73", "wangming_72"],
    ),
    # jupyter/nbgrader: submitted/<student>/<assignment>/
    "nbgrader": (
        {
            f"ann/{SLUG}/{FILE}": ANSWER,
            f"ann/{SLUG}/timestamp.txt": b"2026-11-20 10:11:12 UTC",
            f"bo/{SLUG}/{SLUG} (1).ipynb": ANSWER,
        },
        ["ann", "bo"],
    ),
    # kobotoolbox/kpi#7467; jupyter-server/jupyter_server#608
    "a Mac's zip": (
        {
            unicodedata.normalize("NFD", f"José Núñez/{FILE}"): ANSWER,
            unicodedata.normalize("NFD", f"__MACOSX/José Núñez/._{FILE}"): b"\0",
            unicodedata.normalize("NFD", f"이서준/{FILE}"): ANSWER,
            f"Zoë O'Brien/{FILE}": ANSWER,
            ".DS_Store": b"\0",
        },
        ["José Núñez", "Zoë O'Brien", "이서준"],
    ),
    "a folder around the class": (
        {f"Lab 1/{student}/{FILE}": ANSWER for student in ("ann", "bo")},
        ["ann", "bo"],
    ),
    "names of copies": (
        {f"ann_{SLUG}-Copy1.ipynb": ANSWER, f"Copy of {SLUG} bo.IPYNB": ANSWER, f"{SLUG}_final_cy.ipynb": ANSWER},
        ["ann", "bo", "cy"],
    ),
}


@pytest.mark.parametrize("name", CLASSES)
def test_everybody_of_a_class_is_graded(name: str, tmp_path: Path) -> None:
    """Without a word of which exercise it is."""
    files, students = CLASSES[name]
    path = tmp_path / "class.zip"
    path.write_bytes(zipped(files))
    assert graded(path) == students


def test_names_from_windows_in_taiwan(tmp_path: Path) -> None:
    """kuba--/zip#233: Big5 has 5C, a backslash, inside of characters."""
    students = ["王小明", "許功蓋", "陳怡君"]
    path = tmp_path / "class.zip"
    path.write_bytes(unmarked({f"{name}/{FILE}".encode("cp950"): ANSWER for name in students}))
    assert graded(path) == students


def test_a_students_zip_with_backslashes(tmp_path: Path) -> None:
    (tmp_path / "class" / "ann").mkdir(parents=True)
    (tmp_path / "class" / "ann" / "lab1.zip").write_bytes(unmarked({f"lab1\\{FILE}".encode(): ANSWER}))
    (tmp_path / "class" / "bo").mkdir()
    (tmp_path / "class" / "bo" / FILE).write_bytes(ANSWER)
    assert graded(tmp_path / "class") == ["ann", "bo"]


def test_repositories_of_our_own_export(tmp_path: Path) -> None:
    """GitHub Classroom names them <assignment>-<user>; whatever else is in them is the kit's."""
    for user in ("annlee", "bowu"):
        for name, data in (starter_repository(LAB) | {f"exercises/{FILE}": ANSWER}).items():
            path = tmp_path / "lab1-submissions" / f"lab1-{user}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    assert graded(tmp_path / "lab1-submissions") == ["annlee", "bowu"]


def test_what_came_instead_of_a_notebook_is_said(tmp_path: Path) -> None:
    files = {
        f"Ann Lee_71_assignsubmission_file_/{FILE}": ANSWER,
        "Bo Wu_72_assignsubmission_onlinetext_/onlinetext.html": b"<!DOCTYPE html><p>my answer</p>",
        f"Cy Díaz_73_assignsubmission_file_/{FILE}.json": b"{}",
        "Di Kim_74_assignsubmission_file_/lab.rar": b"Rar!\x1a\x07\0",
        "Ed Ode_75_assignsubmission_file_/lab.pdf": b"%PDF-1.7",
    }
    (tmp_path / "class.zip").write_bytes(zipped(files))
    rows = {row.student: row for row in taken_in(tmp_path / "class.zip").rows}
    assert sorted(rows) == ["Ann Lee_71", "Bo Wu_72", "Cy Díaz_73", "Di Kim_74", "Ed Ode_75"]
    said = {name: row.problem for name, row in rows.items() if row.path is None}
    assert {name for name, problem in said.items() if "came, which is" in problem} >= {"Bo Wu_72", "Di Kim_74"}
    assert "a PDF" in said["Ed Ode_75"]


def test_two_answers_that_differ_are_withheld_by_name(tmp_path: Path) -> None:
    """Nothing tells which of them counts."""
    for name, data in {f"ann/{FILE}": ANSWER, f"ann/{SLUG} (1).ipynb": answer("1 +"), f"bo/{FILE}": ANSWER}.items():
        (tmp_path / "class" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "class" / name).write_bytes(data)
    intake = taken_in(tmp_path / "class")
    ann, bo = intake.rows
    assert (ann.withheld, bo.withheld) == (True, False)
    assert f"ann/{SLUG} (1).ipynb and ann/{FILE} do" in ann.problem
    assert {fate.path for fate in intake.undecided} == {f"ann/{FILE}", f"ann/{SLUG} (1).ipynb"}
