"""Recorded answers need no test: the result is the one that the test would give, and the student's code can't tell."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support import ROOT
from support.mixed_answers import own_answers
from support.rubrics import rubric_toml

from autograder.course.catalog import load_exercise
from autograder.course.sources import reference_source
from autograder.grading import replay
from autograder.grading.grade import grade
from autograder.grading.replay import MOST_RESULTS, Exchange, ReplayCache, ReplayingWorker
from autograder.records import Exercise, Limits, Outcome, Report, Settings, Status, Submission
from autograder.sandbox.worker import Question, Worker
from autograder.testing.plugin import run_suites

TOML = """
[exercise]
title = { en = "Toy", "zh-TW" = "玩具" }
[[task]]
id = "9.1"
functions = ["double", "count", "Meter"]
points = 4
title = { en = "Double", "zh-TW" = "加倍" }
hint = { en = "Think of 2.", "zh-TW" = "想想 2。" }
""" + rubric_toml(values=100)
HEAD = """
import pytest, random, torch
from pathlib import Path
from autograder.testing import expect

def note(name):
    with open(Path(__file__).with_name("ran"), "a") as file:
        file.write(name + " ")
"""
DOUBLES = """
@pytest.mark.task("9.1", item="values")
def test_doubles(student, rng, device):
    "double(x) is twice x."
    note("doubles")
    x = torch.randn(4, generator=rng)
    expect.close(student.double(x.to(device)).cpu(), 2 * x, "the result", rtol=1e-6, atol=0)
    assert student.double(3) == 6, f"double(3) is 6, not {student.double(3)}"
"""
COUNTS = """
@pytest.mark.task("9.1", item="values")
def test_counts(student):
    "count() says how often it was called."
    note("counts")
    assert [student.count(), student.count(), student.count()] == [1, 2, 3]
"""
METERS = """
@pytest.mark.task("9.1", item="values")
def test_meters(student):
    "A meter keeps its reading, and a new process has none."
    note("meters")
    meter = student.Meter()
    assert [meter.step(), meter.step(), student.count()] == [1, 2, 1]
    student.fresh()
    assert [student.count(), student.Meter().step()] == [1, 1]
"""
EXPECTS_DEATH = """
@pytest.mark.task("9.1", item="values")
def test_dies(student):
    "double(1) ends the process."
    assert student.count() == 1
    with pytest.raises(Exception):
        student.double(1)
"""
SLEEPS = """
@pytest.mark.task("9.1", item="values")
def test_sleeps(student):
    "double(1) says how long it slept, and did."
    with student.measuring():
        answer = student.double(1)
    assert answer == 0.2 <= student.last_call.seconds
"""
TAKES_ITS_TIME = """
@pytest.mark.task("9.1", item="values")
def test_in_time(student):
    "double(1) is 2."
    import time
    try:
        assert student.double(1) == 2
    except KeyError:
        time.sleep(0.5)
        raise
"""
REFUSES = """
@pytest.mark.task("9.1", item="values")
def test_refuses(student):
    "double refuses texts, and says why."
    note("refuses")
    expect.raises(TypeError, lambda: student.double("two"), because="it is a text", named=True)
"""
RANDOM = """
@pytest.mark.task("9.1", item="values")
def test_of_any_number(student):
    "double(n) is 2 n, whichever n."
    note("random")
    n = random.randrange(10**9)
    assert student.double(n) == 2 * n
"""
SHORTER = """
@pytest.mark.task("9.1", item="values")
def test_of_any_length(student):
    "double(1) is 2, however often it is asked."
    note("shorter")
    for _ in range(int(Path(__file__).with_name("length").read_text())):
        assert student.double(1) == 2
"""
RIGHT = """
    calls = 0
    def double(x):
        return 2 * x
    def count():
        global calls
        calls += 1
        return calls
    class Meter:
        reading = 0
        def step(self):
            self.reading += 1
            return self.reading
"""


class Class:
    """Students of one toy exercise, graded one after the other in this process."""

    def __init__(self, folder: Path, *tests: str) -> None:
        exercise, solution = folder / "exercises" / "09_toy", folder / "solutions" / "09_toy"
        exercise.mkdir(parents=True)
        solution.mkdir(parents=True)
        (exercise / "exercise.toml").write_text(TOML)
        (exercise / "test_public.py").write_text(HEAD + "".join(tests))
        (solution / "test_hidden.py").write_text("")
        self.exercise: Exercise = load_exercise(exercise, folder / "solutions")
        self.notes, self.cache = exercise / "ran", ReplayCache()

    def grade(self, source: str, cache: ReplayCache | None = None) -> dict[str, Outcome]:
        with Worker(textwrap.dedent(source), Limits(call_cpu_s=1)) as worker:
            student = ReplayingWorker(worker, self.cache if cache is None else cache)
            outcomes = run_suites(self.exercise, student, 1, ("cpu", "simulated"), hidden=True, replay=student)
        return {outcome.test.rpartition("::")[2]: outcome for outcome in outcomes}

    def ran(self) -> list[str]:
        """The tests that have run since the last look."""
        found = self.notes.read_text().split() if self.notes.exists() else []
        self.notes.write_text("")
        return found


def same(one: dict[str, Outcome], other: dict[str, Outcome]) -> bool:
    return {name: (o.status, o.message) for name, o in one.items()} == {
        name: (o.status, o.message) for name, o in other.items()
    }


def test_the_second_student_with_the_same_answers_needs_no_test(tmp_path: Path) -> None:
    students = Class(tmp_path, DOUBLES, METERS)
    first = students.grade(RIGHT)
    assert students.ran() == ["doubles", "doubles", "meters"]
    second = students.grade(RIGHT.replace("2 * x", "x + x"))  # other code, the same values
    assert students.ran() == []
    assert same(first, second)
    assert all(outcome.status is Status.PASSED for outcome in second.values())


@pytest.mark.parametrize(
    "double", ["x * x", "3 * x", "x + x + 0.5", "[1, 2]", "1 / 0", "{}['secret']", "x.to('cpu') * 2"]
)
def test_an_answer_that_is_not_recorded_is_judged_by_the_test(tmp_path: Path, double: str) -> None:
    """The message, too, is the one that the test gives, and the next student with that mistake needs no test."""
    students = Class(tmp_path, DOUBLES)
    students.grade(RIGHT)
    students.ran()
    wrong = students.grade(RIGHT.replace("2 * x", double))
    assert wrong["test_doubles"].status is Status.FAILED
    assert "doubles" in students.ran()
    assert same(wrong, students.grade(RIGHT.replace("2 * x", double), ReplayCache()))
    students.ran()
    assert same(wrong, students.grade(RIGHT.replace("2 * x", f"({double})")))
    assert students.ran() == []


@pytest.mark.parametrize("wrong_at", [1, 2, 3])
def test_code_is_called_as_often_as_the_test_does(tmp_path: Path, wrong_at: int) -> None:
    """A test that takes over in the middle does not ask again: the code would count it."""
    students = Class(tmp_path, COUNTS, DOUBLES)
    students.grade(RIGHT)
    odd = RIGHT.replace("return calls", f"return calls if calls != {wrong_at} else 9")
    found = students.grade(odd)
    numbers = [1, 2, 3]
    numbers[wrong_at - 1] = 9
    assert found["test_counts"].status is Status.FAILED
    assert str(numbers) in found["test_counts"].message
    assert students.grade(RIGHT)["test_counts"].status is Status.PASSED


def test_what_happens_in_one_test_reaches_the_next_as_without_a_cache(tmp_path: Path) -> None:
    """The code's own state goes on from test to test, whether they run or not."""
    students = Class(
        tmp_path, COUNTS, COUNTS.replace("test_counts", "test_counts_on").replace("[1, 2, 3]", "[4, 5, 6]")
    )
    first, second = students.grade(RIGHT), students.grade(RIGHT)
    assert [o.status for o in first.values()] == [o.status for o in second.values()] == [Status.PASSED] * 2


def test_an_error_in_other_words_and_another_line_is_the_same_answer(tmp_path: Path) -> None:
    students = Class(tmp_path, REFUSES)
    for text in ("no text, please", "x must be a number, but it is {x!r}"):
        source = RIGHT.replace(
            "return 2 * x", f"if isinstance(x, str):\n            raise TypeError(f'{text}')\n        return 2 * x"
        )
        assert students.grade(source)["test_refuses"].status is Status.PASSED
    assert students.ran() == ["refuses"]
    assert students.grade(source.replace(text, ""))["test_refuses"].status is Status.FAILED


def test_a_worker_that_dies_before_it_has_said_why_has_crashed(tmp_path: Path) -> None:
    """Killed from outside between an exception and its words, it must not leave a failure without them: it is graded again."""
    students = Class(tmp_path, TAKES_ITS_TIME)
    dies = RIGHT.replace(
        "return 2 * x", "import threading, os; threading.Timer(0.05, os._exit, (1,)).start(); raise KeyError('no')"
    )
    assert students.grade(dies)["test_in_time"].status is Status.CRASHED


def test_not_written_and_refused_are_replayed_too(tmp_path: Path) -> None:
    students = Class(tmp_path, DOUBLES)
    for source, status in (
        ("def double(x): raise NotImplementedError", Status.MISSING),
        ("", Status.MISSING),
        (
            "import torch\ndef double(x): return torch.quantize_per_tensor(torch.ones(1), 1.0, 0, torch.qint8)",
            Status.REFUSED,
        ),
    ):
        assert students.grade(source)["test_doubles"].status is status
        students.ran()
        assert students.grade(source)["test_doubles"].status is status
        assert students.ran() == []


@pytest.mark.parametrize(
    ("double", "status"), [("while True: pass", Status.TIMED_OUT), ("import os; os._exit(0)", Status.CRASHED)]
)
def test_a_worker_that_dies_is_tried_each_time(tmp_path: Path, double: str, status: Status) -> None:
    students = Class(tmp_path, DOUBLES, METERS)
    right = students.grade(RIGHT)
    students.ran()
    source = RIGHT.replace("return 2 * x", double)
    for _ in range(2):
        found = students.grade(source)
        assert found["test_doubles"].status is status
        assert found["test_meters"].status is right["test_meters"].status
        assert set(students.ran()) == {"doubles"}


def test_a_death_that_a_test_expects_is_not_recorded(tmp_path: Path) -> None:
    students = Class(tmp_path, EXPECTS_DEATH)
    assert students.grade(RIGHT.replace("return 2 * x", "import os; os._exit(0)"))["test_dies"].status is Status.PASSED
    assert students.grade(RIGHT)["test_dies"].status is Status.FAILED


@pytest.mark.parametrize("look", ["student._measured = True", "student.evaluator()"])
def test_a_test_that_looks_at_more_than_answers_is_run_each_time(tmp_path: Path, look: str) -> None:
    students = Class(tmp_path, COUNTS.replace("    assert", f"    {look}\n    assert"))
    for _ in range(2):
        assert students.grade(RIGHT)["test_counts"].status is Status.PASSED
        assert students.ran() == ["counts"]


def test_a_call_that_is_watched_has_the_graders_time(tmp_path: Path) -> None:
    """A student's clock may say anything; the grader's says what the call took."""
    students = Class(tmp_path, SLEEPS)
    slow = RIGHT.replace("return 2 * x", "import time; time.sleep(0.2); return 0.2")
    assert students.grade(slow)["test_sleeps"].status is Status.PASSED
    assert students.grade(RIGHT.replace("2 * x", "0.2"))["test_sleeps"].status is Status.FAILED
    assert students.grade(slow)["test_sleeps"].status is Status.PASSED


@pytest.mark.parametrize("lab", sorted(path.name for path in (ROOT / "exercises").iterdir() if path.is_dir()))
def test_no_test_of_ours_looks_at_a_clock_or_draws_at_random(lab: str) -> None:
    """What it says would depend on more than the seed and the answers: `rng` and `student.measuring()` are there for that."""
    for file in (ROOT / "exercises" / lab / "test_public.py", ROOT / "solutions" / lab / "test_hidden.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"time", "random", "datetime", "secrets", "uuid", "os", "threading"}


def test_a_test_that_asks_at_random_is_noticed_and_run_each_time(tmp_path: Path) -> None:
    """It has asked something else after the same answers: nobody pays for that, and nothing is kept of it any more."""
    students = Class(tmp_path, RANDOM, METERS)
    students.grade(RIGHT)
    students.ran()
    found = students.grade(RIGHT.replace("2 * x", "2 * x + 1"))
    assert [found[name].status for name in ("test_of_any_number", "test_meters")] == [Status.FAILED, Status.PASSED]
    assert students.ran() == ["random", "random"]
    for _ in range(2):
        found = students.grade(RIGHT)
        assert {outcome.status for outcome in found.values()} == {Status.PASSED}
        assert "random" in students.ran()


def test_a_test_that_asks_less_than_before_is_noticed(tmp_path: Path) -> None:
    """Who answered a question that the test no longer has is graded in a new process, without it."""
    students = Class(tmp_path, SHORTER)
    length = students.notes.with_name("length")
    length.write_text("3")
    students.grade(RIGHT)
    length.write_text("2")
    students.ran()
    wrong = RIGHT.replace("return 2 * x", "global calls\n        calls += 1\n        return 2 if calls < 3 else 3")
    assert students.grade(wrong)["test_of_any_length"].status is Status.PASSED
    assert students.ran() == ["shorter", "shorter"]


FIRST, SECOND = Question(b"f" * 40, 1, "double", 0), Question(b"s" * 60, 2, "double", 0)
RECORDED = [Exchange(FIRST, False, b"1"), Exchange(SECOND, False, b"2")]


def replayed(cache: ReplayCache, *answers: bytes) -> dict[str, object] | None:
    """The entry of "a test" after these answers; None where none is recorded."""
    step: Any = cache.start("a test")
    for answer in answers:
        step = step.following.get(answer) if step else None
    return getattr(step, "entry", None)


def test_a_result_is_found_by_all_answers_that_led_to_it() -> None:
    cache = ReplayCache()
    cache.record("a test", RECORDED, {"outcome": "passed"})
    cache.record("a test", [RECORDED[0], Exchange(SECOND, False, b"3")], {"outcome": "failed"})
    assert [replayed(cache, b"1", answer) for answer in (b"2", b"3", b"4")] == [
        {"outcome": "passed"},
        {"outcome": "failed"},
        None,
    ]
    assert cache.start("another test") is None


@pytest.mark.parametrize(
    "exchanges",
    [
        [Exchange(SECOND, False, b"1")],
        [Exchange(FIRST, True, b"1")],
        RECORDED[:1],
        [*RECORDED, Exchange(FIRST, False, b"3")],
        RECORDED,
    ],
    ids=["another question", "in a new process", "a question less", "a question more", "it was run all the same"],
)
def test_a_test_that_contradicts_what_is_recorded_is_not_trusted_any_more(exchanges: list[Exchange]) -> None:
    cache = ReplayCache()
    cache.record("a test", RECORDED, {"outcome": "passed"})
    cache.record("a test", exchanges, {"outcome": "passed"})
    assert cache.start("a test") is None
    cache.record("a test", RECORDED, {"outcome": "passed"})
    assert cache.start("a test") is None, "nor is anything more of it recorded"


def test_what_is_recorded_of_one_test_is_bounded() -> None:
    """Past the bound it begins anew: the answers of the next students are as likely as those before."""
    cache = ReplayCache()
    for number in range(MOST_RESULTS + 3):
        cache.record("a test", [Exchange(FIRST, False, bytes([number]))], {"number": number})
    kept = [number for number in range(MOST_RESULTS + 3) if replayed(cache, bytes([number]))]
    assert kept == [MOST_RESULTS, MOST_RESULTS + 1, MOST_RESULTS + 2]


def test_what_is_recorded_of_an_exercise_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the largest test is forgotten, and a test that alone is larger is never recorded."""
    monkeypatch.setattr(replay, "MOST_BYTES", 100)
    cache = ReplayCache()
    for number in range(3):
        cache.record(f"test {number}", [Exchange(Question(b"x" * 40, number, "double", 0), False, b"")], {})
    assert [cache.start(f"test {number}") is None for number in range(3)] == [True, False, False]
    cache.record("test 9", [Exchange(Question(b"x" * 101, 9, "double", 0), False, b"")], {})
    assert [cache.start(name) is None for name in ("test 1", "test 2", "test 9")] == [False, False, True]


def test_a_cache_is_found_by_its_key_until_too_many_others_came() -> None:
    first = replay.replay_cache(("an exercise", 1))
    first.record("a test", RECORDED, {"outcome": "passed"})
    assert replay.replay_cache(("an exercise", 1)) is first
    others = [replay.replay_cache(("an exercise", seed)) for seed in range(2, 2 + replay.MOST_CACHES)]
    assert [cache.start("a test") for cache in others] == [None] * replay.MOST_CACHES
    assert replay.replay_cache(("an exercise", 1)).start("a test") is None


def without_times(report: Report) -> list[tuple[object, ...]]:
    """All of a report that may not depend on who was graded before."""
    tests = [(test.test, test.status, test.message, test.hint) for task in report.tasks for test in task.tests]
    return [(report.status, report.earned, report.notes), *[(task.id, task.earned) for task in report.tasks], *tests]


@pytest.mark.parametrize("students", [3, pytest.param(200, marks=pytest.mark.proof)])
def test_a_mixed_class_gets_the_reports_of_a_class_whose_every_test_runs(students: int) -> None:
    """Right, unusual and wrong answers in all mixtures, each student after the others and alone."""
    lab = load_exercise(ROOT / "exercises" / "01_basic_quantization", ROOT / "solutions")
    assert lab.solution is not None
    reference = reference_source(lab.solution / "source.py")
    earned = set()
    for number in range(students):
        student = Submission(f"student{number}", lab.slug, "\n\n".join([reference, *own_answers(lab, number)]), "")
        after, alone = (grade(lab, student, Settings(11, every_test=anew)) for anew in (False, True))
        assert without_times(after) == without_times(alone)
        earned.add(after.earned)
    assert len(earned) > (20 if students > 100 else 1)
