"""What `ptqlab grade` does with one submission's outcome before it is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import autograder.grade
from autograder.batch import Job, run_job
from autograder.catalog import load_exercise
from autograder.intake import Found
from autograder.model import Outcome, Report, Settings, Status, Submission
from autograder.scoring import score

ROOT = Path(__file__).resolve().parents[1]
SLUG = "01_basic_quantization"
EXERCISE = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")


def outcome(number: int, status: str) -> Outcome:
    return Outcome(f"test_public.py::test_{number}", "1.1", "core", False, Status(status), "A claim.", "", 0.0)


def report_of(statuses: Sequence[str]) -> Report:
    outcomes = [outcome(number, status) for number, status in enumerate(statuses)]
    submission = Submission("ann", SLUG, "", "")
    return score(EXERCISE, submission, outcomes, Settings(1), isolation="", device="cpu", kit_version="", duration_s=0.0,
                 tests_sha256="", notes=())  # fmt: skip


FINE, FIRST, SECOND = ("passed", "passed"), ("crashed", "passed"), ("passed", "crashed")
CASES = {
    "nothing crashed": ([FINE], FINE),
    "something failed": ([("failed", "timed_out")], ("failed", "timed_out")),
    "killed from outside once": ([FIRST, FINE], FINE),
    "crashes by itself": ([FIRST, FIRST], FIRST),
    "crashes by itself, and was killed the first time": ([SECOND, FIRST, FIRST], FIRST),
    "crashes by itself, and was killed the second time": ([FIRST, SECOND, FIRST], FIRST),
    "crashes each time elsewhere": ([FIRST, SECOND, ("crashed", "crashed")], ("crashed", "crashed")),
}


@pytest.mark.parametrize("gradings, believed", CASES.values(), ids=CASES)
def test_a_crash_is_believed_when_it_comes_twice(
    gradings: list[Sequence[str]], believed: Sequence[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = [report_of(statuses) for statuses in gradings]
    monkeypatch.setattr(autograder.grade, "grade", lambda *_: replace(left.pop(0)))
    handed = tmp_path / "ann.py"
    handed.write_text("x = 1")
    report = run_job(Job(Found("ann", SLUG, handed), EXERCISE, Settings(1), ()))
    assert [test.status for task in report.tasks for test in task.tests] == list(believed)
    assert left == [], "graded as often as needed, and not once more"
