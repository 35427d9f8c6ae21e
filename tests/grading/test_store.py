"""Where reports lie: two people never share a path, and nobody gets another person's report."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from autograder.course.catalog import find_exercises
from autograder.course.fingerprint import outcomes_sha256
from autograder.grading import store
from autograder.grading.found import Found
from autograder.grading.job import Job
from autograder.records import Limits, PtqlabError, Report, Settings
from autograder.report.to_json import report_to_json

SLUG = "01_tiny"


def files(*students: str) -> list[Found]:
    return [Found(student, slug, None, "nothing came") for student in students for slug in (SLUG, "02_tiny")]


def test_one_students_labs_share_a_folder_and_nobody_else_does(tmp_path: Path) -> None:
    store.refuse_shared_paths(tmp_path / "out", files("Ann Lee", "ann lee", "Ann_Lee"))
    assert list((tmp_path / "out").iterdir()) == [], "the trial file is gone"


def test_two_students_of_one_folder_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """n01, whatever the hash: before anything is graded, and with both names."""
    monkeypatch.setattr("autograder.grading.people.file_name", lambda student: "Ann_Lee-a36e143c")
    with pytest.raises(PtqlabError, match=r"'Ann Lee' and 'Ann_Lee ' would lie in one folder \(Ann_Lee-a36e143c\)"):
        store.refuse_shared_paths(tmp_path, files("Ann Lee", "Ann_Lee "))


def test_names_that_differ_in_case_are_refused_where_the_disk_ignores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_ignores_case", lambda folder: True)
    with pytest.raises(PtqlabError, match="'ann' and 'ANN'"):
        store.refuse_shared_paths(tmp_path, files("ann", "ANN"))


def test_a_report_of_another_person_is_not_taken_for_ones_own(tmp_path: Path, tiny: Path) -> None:
    """Where a folder's name is shared after all, as by two runs, the second person is graded."""
    (exercise,) = find_exercises(tiny)
    path = tmp_path / "answer.py"
    path.write_text("x = 1\n", encoding="utf-8")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    outcomes = outcomes_sha256(exercise)
    made = Report(
        *("ann", exercise.slug, exercise.title, 1.0, exercise.possible, "graded", "", "0", outcomes, "0"),
        *(1, "cpu", "none", Limits(), sha256, 0.0, (), ()),
    )
    for student, expected in (("ann", made), ("Ann Lee", None)):
        job = Job(Found(student, exercise.slug, path), exercise, Settings(1, "cpu", "none", "en"), ())
        place = store.report_path(tmp_path, job.file)
        store.write_report(place, report_to_json(made), "")
        assert store.valid_report(tmp_path, job) == expected


def test_a_full_disk_is_tried_again_and_then_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that a worker had filled is empty again once that worker is ended; one that stays full is an error."""
    real, refusals, pauses = os.fsync, [errno.ENOSPC, errno.EDQUOT], []

    def fsync(descriptor: int) -> None:
        if refusals:
            raise OSError(refusals.pop(), "no room")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(store.time, "sleep", pauses.append)
    store.write_report(tmp_path / "ann" / "lab.json", "{}", "<p>")
    assert (tmp_path / "ann" / "lab.json").read_text() == "{}"
    assert pauses == [0.2, 1.0]
    refusals.extend([errno.ENOSPC] * 50)
    with pytest.raises(PtqlabError, match="Free some space"):
        store.write_report(tmp_path / "bo" / "lab.json", "{}", "<p>")
    refusals[:] = [errno.EACCES]
    pauses.clear()
    with pytest.raises(PtqlabError):
        store.write_report(tmp_path / "cy" / "lab.json", "{}", "<p>")
    assert pauses == []
