"""What an exception of the student's code, or the end of its process, is to a test and to a reader."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from autograder.runtime.dispatcher import BUILTIN_ERRORS


class StudentError(Exception):
    """The student's code raised something that has no built-in counterpart here, or left with SystemExit."""


class MissingError(Exception):
    """The function is not written yet: not defined, or it raises NotImplementedError."""


class RefusedError(Exception):
    """The student's code called a ready-made quantizer where the task is to write one."""


class JailedError(Exception):
    """The student's code wanted what the jail does not give: another process."""


NO_PROCESSES = (
    "it starts another process or program, which is not possible while it is graded: leave out torch.compile, "
    "subprocess and multiprocessing, and give a DataLoader num_workers=0"
)


class TimedOutError(Exception):
    """The call used more time than a right answer ever needs."""


class CrashedError(Exception):
    """The worker died in this call, or broke the protocol."""


class StudentMessage:
    """What an exception of the student's code says, found out when somebody reads it.

    Most tests only want to know which kind of exception it was, and every student words them in another way.
    """

    def __init__(self, ask: Callable[[], tuple[str, str, str]], named: bool, with_type: bool) -> None:
        self._ask, self.named, self._with_type = ask, named, with_type

    @cached_property
    def _type_text_place(self) -> tuple[str, str, str]:
        return self._ask()

    @property
    def place(self) -> str:
        """The line of the student's code: 'line 12, in quantize'."""
        return self._type_text_place[2]

    def __str__(self) -> str:
        kind, text, _ = self._type_text_place
        return f"{kind}: {text}" if self._with_type else text

    def __repr__(self) -> str:
        return repr(str(self))


def message_of(error: BaseException) -> StudentMessage | None:
    """What the student's code said with an exception; None of one that is not theirs."""
    message = getattr(error, "student_message", None)
    return message if isinstance(message, StudentMessage) else None


def raised(failure: dict[str, Any], label: str, ask: Callable[[], tuple[str, str, str]]) -> Exception:
    """The exception that the student's code raised, as a test and a reader should see it."""
    text = failure["text"]
    if failure["kind"] == "undefined":
        return MissingError(f"{label.split('.', maxsplit=1)[0]} is not defined yet")
    if failure["kind"] == "missing":
        return MissingError(text or f"{label} is not written yet")
    if failure["kind"] == "refused":
        return RefusedError(text)
    if failure["kind"] == "jailed":
        return JailedError(NO_PROCESSES)
    original, kind = failure.get("error"), BUILTIN_ERRORS.get(failure["builtin"])
    if "error" in failure:  # it happened in this process
        type_text_place = failure["type"], text, failure["where"]
        message = StudentMessage(lambda: type_text_place, bool(text.strip()), kind is None)
    else:
        message = StudentMessage(ask, failure["named"], kind is None)
    error = original if isinstance(original, Exception) else (kind or StudentError)(message)
    error.student_message = message  # type: ignore[attr-defined]  # how the suite tells it from a fault of ours
    return error
