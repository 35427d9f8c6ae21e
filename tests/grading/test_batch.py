"""What `ptqlab grade` does with one submission's outcome before it is believed, and how much it holds of a class."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

import autograder.grading.grade
from autograder.course import fingerprint
from autograder.course.catalog import load_exercise
from autograder.grading import dispatch, store
from autograder.grading.batch import grade_class
from autograder.grading.code_fingerprint import Code
from autograder.grading.found import Found
from autograder.grading.job import Finished, Job, finish_job, run_job
from autograder.grading.outline import outline
from autograder.records import Exercise, Outcome, Provenance, Report, Settings, Status, Submission
from autograder.report.to_json import report_from_json, report_to_json
from autograder.sandbox import reading
from autograder.scoring import score

SLUG = "01_basic_quantization"
EXERCISE = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")


def outcome(number: int, status: str) -> Outcome:
    return Outcome(f"test_public.py::test_{number}", "1.1", "values", False, Status(status), "A claim.", "", 0.0)


def report_of(statuses: Sequence[str]) -> Report:
    outcomes = [outcome(number, status) for number, status in enumerate(statuses)]
    submission = Submission("ann", SLUG, "", "")
    made_with = Provenance("", "", "", 1, "cpu", "", EXERCISE.limits)
    return score(EXERCISE, submission, outcomes, made_with, every_item=False)


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
    monkeypatch.setattr(autograder.grading.grade, "grade", lambda *_, **__: replace(left.pop(0)))
    handed = tmp_path / "ann.py"
    handed.write_text("x = 1")
    report = run_job(Job(Found("ann", SLUG, handed), EXERCISE, Settings(1), ()))
    assert [test.status for task in report.tasks for test in task.tests] == list(believed)
    assert left == [], "graded as often as needed, and not once more"


class Counting(Executor):
    """Grades nothing: counts how many submissions are out at a time, and gives each report one at a time."""

    def __init__(self) -> None:
        self.out, self.most, self.students = 0, 0, []

    def submit(self, function: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        self.out += 1
        self.most = max(self.most, self.out)
        future: Future[Any] = Future()
        self.students.append(args[0].file.student)
        future.set_result(Finished(replace(report_of(FINE), student=args[0].file.student), "a page", "a record"))
        return future


def test_a_large_class_is_handed_out_by_and_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dispatch, "MOST_HANDED_OUT", 3)
    found = [Found(f"student{number}", SLUG, tmp_path / f"{number}.py") for number in range(10)]
    pool = Counting()

    def finished(report: Report, code: Code | None) -> None:
        pool.out -= 1

    kept = grade_class(
        found, [EXERCISE], Settings(1), tmp_path / "out", root=tmp_path, pool=pool, keep=outline, on_report=finished
    )
    assert sorted(pool.students) == sorted(item.student for item in found)
    assert pool.most == 4, "three, and the next one before the report of the first that is ready is written"
    assert [report.student for report in kept] == [item.student for item in found]


def test_of_each_report_the_outline_is_kept(tmp_path: Path) -> None:
    found = [Found("ann", SLUG, tmp_path / "ann.py")]
    full = grade_class(found, [EXERCISE], Settings(1), tmp_path / "a", root=tmp_path, pool=Counting())
    kept = grade_class(found, [EXERCISE], Settings(1), tmp_path / "b", root=tmp_path, pool=Counting(), keep=outline)
    assert any(task.tests for task in full[0].tasks)
    assert not any(task.tests for task in kept[0].tasks)
    assert (kept[0].earned, [task.earned for task in kept[0].tasks]) == (
        full[0].earned,
        [task.earned for task in full[0].tasks],
    )
    assert (tmp_path / "a" / "scores.csv").read_bytes() == (tmp_path / "b" / "scores.csv").read_bytes()


def test_what_reports_have_in_common_is_kept_once() -> None:
    """A class of ten thousand has ten thousand of them, and each came from another process with words of its own."""
    one, other = (outline(pickle.loads(pickle.dumps(report_of(FINE)))) for _ in range(2))
    assert one == other
    for name in (
        "title",
        "exercise",
        "status",
        "isolation",
        "device",
        "kit_version",
        "outcomes_sha256",
        "points_sha256",
    ):
        assert getattr(one, name) is getattr(other, name)
    for task, same in zip(one.tasks, other.tasks, strict=True):
        assert (task.id is same.id, task.status is same.status, task.title is same.title, task.hint is same.hint) == (
            True,
        ) * 4


def test_a_fault_of_the_reader_withholds_the_score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A score is withheld by our own fault, says so, and ends nobody else's grading."""
    monkeypatch.setattr(reading.Reader, "ask", instead_of_asking)
    handed = tmp_path / "ann.py"
    handed.write_text("x = 1")
    finished = finish_job(Job(Found("ann", SLUG, handed), EXERCISE, Settings(1), ()))
    assert (finished.report.status, finished.report.earned) == ("withheld", None)
    assert finished.report.reason == "The reader itself failed: KeyError: 'ours'"
    assert finished.code == Code("", "")


def instead_of_asking(*_: object) -> None:
    raise KeyError("ours")


def test_a_file_that_is_too_much_is_its_students_sentence(tmp_path: Path) -> None:
    """It earns 0 points; nothing is withheld."""
    handed = tmp_path / "ann.ipynb"
    handed.write_text("[" * 10_000)
    report = finish_job(Job(Found("ann", SLUG, handed), EXERCISE, Settings(1), ())).report
    assert (report.status, report.earned) == ("unreadable", 0.0)
    assert report.reason.startswith("ann.ipynb is no notebook: its JSON is too deep")


def graded_before(folder: Path, exercise: Exercise) -> tuple[Path, Found]:
    """A submission with full marks in task 1.1 and its report in `folder`/out, as an earlier command left them."""
    handed = folder / "ann.py"
    handed.write_text("x = 1")
    found = Found("ann", SLUG, handed)
    outcomes = [Outcome("test", "1.1", item.item, True, Status.PASSED, "claim") for item in exercise.tasks[0].rubric]
    submission = Submission("ann", SLUG, "", hashlib.sha256(b"x = 1").hexdigest())
    made_with = fingerprint.provenance(exercise, 1, "cpu", "jail")
    place = store.report_path(folder / "out", found)
    place.parent.mkdir(parents=True)
    earlier = score(exercise, submission, outcomes, made_with, every_item=False)
    place.write_text(report_to_json(earlier), encoding="utf-8")
    return handed, found


def test_points_that_changed_meanwhile_apply_to_what_is_not_graded_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A class has one scale: a kept report is scored with the present points, and written again."""
    first = replace(EXERCISE, tasks=EXERCISE.tasks[:1])
    _, found = graded_before(tmp_path, first)
    monkeypatch.setattr(reading.Reader, "ask", instead_of_asking)
    pool, out = Counting(), tmp_path / "out"
    stored = store.report_path(out, found)
    as_it_was = stored.read_bytes()
    grade_class([found], [first], Settings(1), out, root=tmp_path, pool=pool)
    assert stored.read_bytes() == as_it_was
    dearer = replace(first, tasks=(replace(first.tasks[0], points=10.0),))
    (report,) = grade_class([found], [dearer], Settings(1), out, root=tmp_path, pool=pool)
    assert (report.earned, report.possible, pool.students) == (10, 10, [])
    assert report_from_json(stored.read_text(encoding="utf-8")) == report
    assert "10" in (out / "scores.csv").read_text(encoding="utf-8")


def test_what_was_graded_is_known_by_its_bytes_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An earlier report counts for the same file, which is not read again; for another one it doesn't."""
    handed, found = graded_before(tmp_path, EXERCISE)
    monkeypatch.setattr(reading.Reader, "ask", instead_of_asking)
    pool = Counting()
    grade_class([found], [EXERCISE], Settings(1), tmp_path / "out", root=tmp_path, pool=pool, keep=outline)
    assert pool.students == []
    handed.write_text("x = 2")
    grade_class([found], [EXERCISE], Settings(1), tmp_path / "out", root=tmp_path, pool=pool, keep=outline)
    assert pool.students == ["ann"]
