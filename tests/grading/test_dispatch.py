"""Jobs go out in order; one that hangs or kills its grading process comes back later, and delays nobody."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from support import ROOT

from autograder.course.catalog import load_exercise
from autograder.grading.dispatch import dispatch
from autograder.grading.found import Found
from autograder.grading.job import Finished, Job, withheld
from autograder.pool.executor import GraderDiedError
from autograder.records import Settings

SLUG = "01_basic_quantization"
EXERCISE = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")


class Scripted(Executor):
    """Answers each submission with what its name says, and notes in which order they came."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bool]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        job: Job = args[0]
        future: Future[Any] = Future()
        self.came.append((job.file.student, job.patient))
        if job.file.student.startswith("dies"):
            future.set_exception(GraderDiedError("gone"))
        elif job.file.student.startswith("hangs") and not job.patient:
            future.set_result(None)
        else:
            future.set_result(Finished(withheld(job, "a stand-in"), "", ""))
        return future


def graded(*students: str) -> tuple[list[tuple[str, bool]], list[tuple[int, str]]]:
    jobs = [Job(Found(name, SLUG, Path(f"{name}.py")), EXERCISE, Settings(1), ()) for name in students]
    executor = Scripted()
    results = [(number, done.report.reason) for number, done in dispatch(executor, dict(enumerate(jobs)), False)]
    return executor.came, results


def test_a_submission_that_hangs_is_graded_after_those_that_wait_behind_it() -> None:
    """It is given back after its first timeout, handed out again behind the others, and then graded in full."""
    came, results = graded("hangs", "ann", "bo")
    assert came == [("hangs", False), ("ann", False), ("bo", False), ("hangs", True)]
    assert [number for number, _ in results] == [1, 2, 0]


def test_a_submission_alone_is_graded_at_once() -> None:
    """Nobody waits behind it, so it is not begun twice."""
    assert graded("hangs")[0] == [("hangs", True)]


def test_a_submission_that_kills_its_grading_process_twice_is_withheld() -> None:
    """A death is tried once more, and each job has one result."""
    came, results = graded("dies", "ann")
    assert [name for name, _ in came] == ["dies", "ann", "dies"]
    assert dict(results)[0].startswith("The grading process died each time")
    assert len(results) == 2
