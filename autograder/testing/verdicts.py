"""From the exception that ended a test to its verdict: whose fault it was, and what to tell the student.

What a hidden test says carries none of its values.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autograder.records import PtqlabError, Status
from autograder.testing.deadline import TOO_LONG, OwnWorkTooLongError

if TYPE_CHECKING:
    from autograder.testing.proxy import Student

NOT_WRITTEN = "not written yet: it is not defined, or it raises NotImplementedError"  # whose text is the student's
MOST_LETTERS = 400
TOO_LARGE = "what the call returned takes more memory to judge than a right answer ever needs"
READY_MADE = "a ready-made quantizer"  # which one, the student's process says
UNUSABLE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)


def verdict(error: BaseException, asked: Student | None, *, hidden: bool, in_test: bool) -> dict[str, str]:
    """What an exception means: the test's status, and the words for the student.

    `asked` is the test's `student`, if it used one. Outside of the test itself (not `in_test`: in a fixture) nothing
    is judged but how a call ended.
    """
    from autograder.runtime import errors as ends  # noqa: PLC0415

    try:
        return _verdict(error, asked, hidden, in_test)
    except (ends.TimedOutError, ends.CrashedError) as ended:  # when it was asked what its exception says
        return _verdict(ended, asked, hidden, in_test)


def _verdict(error: BaseException, asked: Student | None, hidden: bool, in_test: bool) -> dict[str, str]:
    from autograder.runtime import errors as ends  # noqa: PLC0415

    if isinstance(error, PtqlabError):
        return _judged(Status.GRADER_ERROR, str(error))
    called = "" if hidden or asked is None or asked.last_call is None else asked.last_call.text
    for kind, status in (
        (ends.MissingError, Status.MISSING),
        (ends.RefusedError, Status.REFUSED),
        (ends.JailedError, Status.FAILED),
        (ends.TimedOutError, Status.TIMED_OUT),
        (ends.CrashedError, Status.CRASHED),
    ):
        if isinstance(error, kind):
            unsaid = {Status.MISSING: NOT_WRITTEN, Status.REFUSED: READY_MADE} if hidden else {}
            return _judged(status, unsaid.get(status, str(error)), called)
    if not in_test:
        return _our_fault(error)
    if isinstance(error, ends.StudentError) or ends.message_of(error):
        return _judged(Status.FAILED, _raised_text(error, hidden), called)
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return _judged(Status.FAILED, _assertion_text(error, hidden), called)
    if isinstance(error, OwnWorkTooLongError):
        return _judged(Status.FAILED, TOO_LONG, called)
    if isinstance(error, MemoryError) and asked is not None and asked.calls:
        return _judged(Status.FAILED, TOO_LARGE, called)
    if isinstance(error, UNUSABLE) and asked is not None and asked.calls:
        came = "" if hidden else f" ({type(error).__name__}: {str(error)[:300]})"
        return _judged(Status.FAILED, f"what the call returned has not the form that the test expects{came}", called)
    return _our_fault(error)


def _judged(status: Status, message: str, called: str = "") -> dict[str, str]:
    message = shortened(message)
    return {"status": status.value, "message": f"{message}\ncalled: {shortened(called)}" if called else message}


def shortened(text: str) -> str:
    """A text of at most `MOST_LETTERS` letters: much of a message may be a student's own words."""
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _our_fault(error: BaseException) -> dict[str, str]:
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" at {Path(place[0].filename).name}:{place[0].lineno}" if place else ""
    return {
        "status": Status.GRADER_ERROR.value,
        "message": f"the test itself failed: {type(error).__name__}: {error}{where}",
    }


def _assertion_text(error: BaseException, hidden: bool) -> str:
    words, values = getattr(error, "words", None), getattr(error, "values", None)
    if words is None:  # a plain assert: pytest's own text holds values
        return "this does not hold" if hidden else str(error).partition("\n")[0] or "this does not hold"
    return str(words) if hidden or not values else f"{words}\n{values}"


def _raised_text(error: BaseException, hidden: bool) -> str:
    from autograder.runtime.errors import StudentError, message_of  # noqa: PLC0415

    if hidden:  # neither the text nor the place: both could carry a hidden test's values
        return (
            "the call raised an error" if isinstance(error, StudentError) else f"the call raised {type(error).__name__}"
        )
    words = message_of(error)
    place = words.place if words else ""
    name = "" if isinstance(error, StudentError) else f"{type(error).__name__}: "
    return f"the call raised {name}{error}{f' ({place})' if place else ''}"
