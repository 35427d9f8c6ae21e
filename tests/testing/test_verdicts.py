"""A verdict says whose fault an exception was, and a hidden test's says it without any of its values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from autograder.records import PtqlabError, Status
from autograder.runtime.errors import (
    NO_PROCESSES,
    CrashedError,
    JailedError,
    MissingError,
    RefusedError,
    StudentError,
    StudentMessage,
    TimedOutError,
)
from autograder.testing.expect import MismatchError
from autograder.testing.proxy import Call, Student
from autograder.testing.verdicts import verdict

CALLED = "\ncalled: f(3)"
UNUSABLE = "what the call returned has not the form that the test expects"


class Nobody:
    """An endpoint that nobody asks."""


ASKED = Student(Nobody(), last_call=Call("f", ((3,), {})), calls=1)  # type: ignore[arg-type]
NEVER_ASKED = Student(Nobody())  # type: ignore[arg-type]


def told(error: Exception, kind: str, text: str, place: str) -> Exception:
    """An exception as the student's code raised it, with its words and its line."""
    error.student_message = StudentMessage(lambda: (kind, text, place), True, False)  # type: ignore[attr-defined]
    return error


def judged(
    error: BaseException, hidden: bool = False, in_test: bool = True, asked: Student | None = ASKED
) -> tuple[str, str]:
    found = verdict(error, asked, hidden=hidden, in_test=in_test)
    assert found.keys() == {"status", "message"}
    return found["status"], found["message"]


# the exception, its status, what a public test says of it, what a hidden one says of it
JUDGED: dict[str, tuple[BaseException, Status, str, str]] = {
    "not written": (
        MissingError("f is not defined yet"),
        Status.MISSING,
        f"f is not defined yet{CALLED}",
        "not written yet: it is not defined, or it raises NotImplementedError",
    ),
    "ready-made": (
        RefusedError("torch.quantize was called"),
        Status.REFUSED,
        f"torch.quantize was called{CALLED}",
        "a ready-made quantizer",
    ),
    "another process": (JailedError(NO_PROCESSES), Status.FAILED, f"{NO_PROCESSES}{CALLED}", NO_PROCESSES),
    "out of time": (TimedOutError("10 s"), Status.TIMED_OUT, f"10 s{CALLED}", "10 s"),
    "dead": (CrashedError("gone"), Status.CRASHED, f"gone{CALLED}", "gone"),
    "a plain assertion": (
        AssertionError("3 == 4\nwhere\nhere"),
        Status.FAILED,
        f"3 == 4{CALLED}",
        "this does not hold",
    ),
    "an assertion without words": (
        AssertionError(),
        Status.FAILED,
        f"this does not hold{CALLED}",
        "this does not hold",
    ),
    "an assertion that begins with a blank line": (
        AssertionError("\n3"),
        Status.FAILED,
        f"this does not hold{CALLED}",
        "this does not hold",
    ),
    "pytest.fail": (pytest.fail.Exception("no 3"), Status.FAILED, f"no 3{CALLED}", "this does not hold"),
    "a mismatch with values": (
        MismatchError("it is too large", "3, expected 2"),
        Status.FAILED,
        f"it is too large\n3, expected 2{CALLED}",
        "it is too large",
    ),
    "a mismatch without values": (
        MismatchError("it is too large"),
        Status.FAILED,
        f"it is too large{CALLED}",
        "it is too large",
    ),
    "an exception of the student's own": (
        told(StudentError("MyError: 3"), "MyError", "3", "line 2, in f"),
        Status.FAILED,
        f"the call raised MyError: 3 (line 2, in f){CALLED}",
        "the call raised an error",
    ),
    "one without a line": (
        StudentError("MyError: 3"),
        Status.FAILED,
        f"the call raised MyError: 3{CALLED}",
        "the call raised an error",
    ),
    "an assertion in the student's own code": (
        told(AssertionError("scale > 0"), "AssertionError", "scale > 0", "line 12, in f"),
        Status.FAILED,
        f"the call raised AssertionError: scale > 0 (line 12, in f){CALLED}",
        "the call raised AssertionError",
    ),
    "a built-in exception": (
        told(ValueError("3"), "ValueError", "3", "line 2, in f"),
        Status.FAILED,
        f"the call raised ValueError: 3 (line 2, in f){CALLED}",
        "the call raised ValueError",
    ),
    "one whose line nobody knows": (
        told(OSError("3"), "OSError", "3", ""),
        Status.FAILED,
        f"the call raised OSError: 3{CALLED}",
        "the call raised OSError",
    ),
    **{
        f"a result on which the test stumbles with {kind.__name__}": (
            kind("3"),
            Status.FAILED,
            f"{UNUSABLE} ({kind.__name__}: {kind('3')}){CALLED}",
            UNUSABLE,
        )
        for kind in (TypeError, ValueError, AttributeError, IndexError, KeyError, ZeroDivisionError, RuntimeError)
    },
}


@pytest.mark.parametrize("case", JUDGED)
def test_what_an_exception_in_a_test_means(case: str) -> None:
    """The status is the same, public or hidden; hidden words hold no value, no call, and nothing that a student wrote."""
    error, status, public, hidden = JUDGED[case]
    assert judged(error) == (status, public)
    assert judged(error, hidden=True) == (status, hidden)
    assert "3" not in hidden


@pytest.mark.parametrize("case", JUDGED)
def test_in_a_fixture_only_how_a_call_ended_is_judged(case: str) -> None:
    """Whatever else goes wrong outside of the test itself is ours: a student's code is not blamed for it."""
    error, status, public, hidden = JUDGED[case]
    if isinstance(error, MissingError | RefusedError | JailedError | TimedOutError | CrashedError):
        assert judged(error, in_test=False) == (status, public)
        assert judged(error, hidden=True, in_test=False) == (status, hidden)
    else:
        assert judged(error, in_test=False)[0] == Status.GRADER_ERROR


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("in_test", [True, False])
@pytest.mark.parametrize("asked", [None, ASKED])
def test_our_own_refusal_is_our_fault_everywhere_and_keeps_its_sentence(
    hidden: bool, in_test: bool, asked: Student | None
) -> None:
    """A PtqlabError in a test is a fault of the course, and its text says how to mend it."""
    assert judged(PtqlabError("Expected data."), hidden, in_test, asked) == (Status.GRADER_ERROR, "Expected data.")


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (KeyError("x"), None),
        (TypeError("x"), NEVER_ASKED),
        (OSError("x"), ASKED),
        (StopIteration("x"), ASKED),
        (pytest.skip.Exception("x"), ASKED),
    ],
)
def test_what_no_answer_can_have_caused_is_our_fault(error: BaseException, asked: Student | None, hidden: bool) -> None:
    """Before the student was asked anything, or of a kind that no value brings about, an error is the test's own."""
    status, message = judged(error, hidden, asked=asked)
    assert status == Status.GRADER_ERROR
    assert message == f"the test itself failed: {type(error).__name__}: {error}"


def raised_here(raise_it: Callable[[], Any]) -> Exception:
    try:
        raise_it()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_fault_of_ours_names_the_innermost_line() -> None:
    """File and line of where it was raised, not of where it passed through."""

    def inner() -> None:
        raise OSError("no disk")

    line = inner.__code__.co_firstlineno + 1
    status, message = judged(raised_here(lambda: inner()))
    assert status == Status.GRADER_ERROR
    assert message == f"the test itself failed: OSError: no disk at test_verdicts.py:{line}"


def test_a_call_is_named_where_there_was_one() -> None:
    """Without a student, or before the first call, there is no call to show."""
    assert judged(AssertionError("no"), asked=None) == (Status.FAILED, "no")
    assert judged(AssertionError("no"), asked=NEVER_ASKED) == (Status.FAILED, "no")


def test_what_a_test_stumbles_over_is_told_in_at_most_300_characters() -> None:
    """A tensor's text does not fill the report."""
    _, message = judged(TypeError("x" * 1000))
    assert re.findall("x{5,}", message) == ["x" * 300]


@pytest.mark.parametrize(("kind", "status"), [(TimedOutError, Status.TIMED_OUT), (CrashedError, Status.CRASHED)])
def test_a_worker_that_ends_when_it_is_asked_what_its_exception_says_has_ended(
    kind: type[Exception], status: Status
) -> None:
    """The words travel when they are read; what ends the worker then is the call's outcome, called by its name."""

    def dies() -> tuple[str, str, str]:
        raise kind("gone")

    words = StudentMessage(dies, True, False)
    error = StudentError(words)
    error.student_message = words  # type: ignore[attr-defined]
    assert judged(error) == judged(error, in_test=False) == (status, f"gone{CALLED}")
    assert judged(error, hidden=True, in_test=False) == (status, "gone"), "and shows no call"
    assert judged(error, hidden=True) == (Status.FAILED, "the call raised an error"), "a hidden test never reads them"
