"""What one grading process has found out, the others of its machine know; what they hear wrong they don't use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from support.grader_jobs import find_out, knows, zygote_of_process

from autograder.grading import replay
from autograder.grading.replay import ReplayCache
from autograder.pool import shared_log
from autograder.pool.executor import GraderPool
from autograder.pool.shared_log import Shared
from autograder.sandbox.worker import Question

ABOUT = ("an exercise", 1)
FIRST, SECOND = Question(b"f" * 5000, 1, "double", 0), Question(b"s" * 100, 2, "double", 0)
PASSED: dict[str, Any] = {"outcome": "passed", "call": {"duration": 0.25}}
FAILED: dict[str, Any] = {"outcome": "failed", "call": {"duration": 0.25, "crash": {"message": "no"}}}


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    with shared_log.new_file() as made:
        yield made


class Process:
    """What a grading process has: an end of the file, and what it knows."""

    def __init__(self, file: IO[bytes]) -> None:
        self.end = Shared(file.fileno())
        self.known = ReplayCache(ABOUT, self.end)

    def hear(self) -> list[tuple[object, ...]]:
        news = list(self.end.news())
        for _, test, told, entry in news:
            self.known.hear(test, told, entry)
        return news

    def end_of(self, *digests: bytes) -> dict[str, Any] | None:
        """What "a test" comes to after these answers; None where that is not known."""
        step: Any = self.known.first("a test")
        for digest in digests:
            step = step.after.get(digest) if step else None
        return getattr(step, "entry", None)


# --- the file -----------------------------------------------------------------------------------------------------


def test_everybody_hears_what_the_others_tell_and_not_himself(file: IO[bytes]) -> None:
    one, other = Shared(file.fileno()), Shared(file.fileno())
    one.tell({"a": 1})
    other.tell("b")
    one.tell("c")
    assert [list(one.news()), list(other.news()), list(one.news())] == [["b"], [{"a": 1}, "c"], []]
    assert list(Shared(file.fileno()).news()) == [{"a": 1}, "b", "c"], "also who comes later"
    one.tell("d")
    assert list(other.news()) == ["d"]


@pytest.mark.parametrize("kept", [3, 60])
def test_behind_a_torn_record_nothing_is_read(file: IO[bytes], kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer was killed, or the disk was full: what comes behind it is no record's beginning."""
    one, other = Shared(file.fileno()), Shared(file.fileno())
    one.tell("whole")
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:kept]))
        one.tell("torn, and long enough that half a record ends within it")
    size = os.fstat(file.fileno()).st_size
    one.tell("behind it")
    assert os.fstat(file.fileno()).st_size == size, "whoever tore it says nothing more"
    Shared(file.fileno()).tell("by somebody who does not know of it, and long enough that a torn record ends within it")
    assert list(other.news()) == ["whole"]
    assert list(other.news()) == []


def test_a_disk_that_is_full_silences_and_ends_nothing(file: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    Shared(file.fileno()).tell("something")
    assert list(Shared(file.fileno()).news()) == []


def test_what_is_told_is_bounded(file: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_log, "MOST_BYTES", 1000)
    one, other = Shared(file.fileno()), Shared(file.fileno())
    for _ in range(5):
        one.tell("x" * 400)
    assert len(list(other.news())) == 2
    assert os.fstat(file.fileno()).st_size < 1000 + 100


# --- dialogues ----------------------------------------------------------------------------------------------------


def test_what_one_has_found_out_the_other_knows(file: IO[bytes]) -> None:
    one, other = Process(file), Process(file)
    one.known.keep("a test", [(FIRST, False, b"1"), (SECOND, True, b"2")], PASSED)
    one.known.keep("a test", [(FIRST, False, b"1"), (SECOND, True, b"3")], FAILED)
    other.hear()
    assert (other.end_of(b"1", b"2"), other.end_of(b"1", b"3")) == (PASSED, FAILED)
    other.known.keep("a test", [(FIRST, False, b"4")], FAILED)
    one.hear()
    assert one.end_of(b"4") == FAILED


def test_a_question_is_told_once(file: IO[bytes]) -> None:
    one, other = Process(file), Process(file)
    one.known.keep("a test", [(FIRST, False, b"1"), (SECOND, False, b"2")], PASSED)
    other.hear()
    size = os.fstat(file.fileno()).st_size
    for number in range(10):
        other.known.keep("a test", [(FIRST, False, b"1"), (SECOND, False, bytes([number] * 32))], FAILED)
    assert os.fstat(file.fileno()).st_size - size < len(FIRST.frame), "ten dialogues, none of which has it again"
    one.hear()
    assert one.end_of(b"1", bytes([9] * 32)) == FAILED


def test_two_may_find_out_the_same(file: IO[bytes]) -> None:
    """At the same time, before either has heard of it; how long the test took is no difference."""
    one, other = Process(file), Process(file)
    one.known.keep("a test", [(FIRST, False, b"1")], PASSED)
    other.known.keep("a test", [(FIRST, False, b"1")], PASSED | {"call": {"duration": 9.0}})
    for process in (one, other):
        process.hear()
        assert process.end_of(b"1") is not None


@pytest.mark.parametrize(
    "theirs",
    [
        ([(FIRST, False, b"1")], FAILED),
        ([(SECOND, False, b"1")], PASSED),
        ([(FIRST, True, b"1")], PASSED),
        ([(FIRST, False, b"1"), (SECOND, False, b"2")], PASSED),
    ],
    ids=["another outcome", "another question", "in a new process", "a question more"],
)
def test_who_hears_the_contrary_trusts_the_test_no_more(file: IO[bytes], theirs: tuple[Any, Any]) -> None:
    one, other = Process(file), Process(file)
    one.known.keep("a test", [(FIRST, False, b"1")], PASSED)
    other.known.keep("a test", *theirs)
    other.hear()
    assert other.known.first("a test") is None
    other.known.keep("a test", [(FIRST, False, b"1")], PASSED)
    assert other.known.first("a test") is None, "nor does it keep anything more of it"


def test_a_test_that_strayed_with_one_is_trusted_by_nobody(file: IO[bytes]) -> None:
    one, other = Process(file), Process(file)
    one.known.keep("a test", [(FIRST, False, b"1")], PASSED)
    other.hear()
    one.known.distrust("a test")
    other.hear()
    other.known.keep("a test", [(FIRST, False, b"1")], PASSED)
    assert other.known.first("a test") is None


def test_what_hangs_on_something_unknown_is_left_out(file: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Process(file), Process(file)
    with monkeypatch.context() as patched:
        patched.setattr(replay, "MOST_BYTES", 1)
        one.end.tell((ABOUT, "a test", [(FIRST, False, b"1")], PASSED))
        other.hear()  # it has no room for it
    one.end.tell((ABOUT, "a test", [(None, False, b"1"), (SECOND, False, b"2")], PASSED))
    other.hear()
    assert other.known.first("a test") is None
    one.end.tell((ABOUT, "a test", [(FIRST, False, b"3")], PASSED))
    other.hear()
    assert other.end_of(b"3") == PASSED


def test_what_is_heard_is_about_one_exercise_and_seed(file: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_log, "_SHARED", [Shared(file.fileno())])
    monkeypatch.setattr(replay, "_KNOWN", {})
    Process(file).known.keep("a test", [(FIRST, False, b"1")], PASSED)
    assert replay.known(("an exercise", 2)).first("a test") is None
    assert replay.known(ABOUT).first("a test") is not None


# --- real processes -----------------------------------------------------------------------------------------------


def test_grading_processes_of_one_machine_share_and_those_of_another_do_not(tmp_path: Path) -> None:
    with GraderPool(2) as pool, GraderPool(1) as elsewhere:
        who = pool.submit(find_out).result()
        answers = dict(pool.map(knows, [(str(tmp_path), 2)] * 2))
        assert len(answers) == 2
        assert answers == {who: True, next(iter(set(answers) - {who})): True}
        assert elsewhere.submit(knows, (str(tmp_path), 1)).result()[1] is False


def test_a_zygote_has_no_descriptor_of_what_is_shared() -> None:
    """Nor has any worker, which it forks."""
    with GraderPool(1) as pool:
        grader, nursery, zygote = pool.submit(zygote_of_process).result()
        named = os.fstat(pool._shared.fileno())
        held = {pid: [os.stat(f) for f in Path(f"/proc/{pid}/fd").iterdir()] for pid in (grader, nursery, zygote)}
        has = {
            pid: any((s.st_dev, s.st_ino) == (named.st_dev, named.st_ino) for s in found) for pid, found in held.items()
        }
        assert has == {grader: True, nursery: False, zygote: False}
