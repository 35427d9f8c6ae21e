"""What a test says depends only on what the student's code answers: for answers that are known, the outcome is, too.

A test draws its inputs from the assignment's seed, asks the student's functions, and judges their answers. So most of
a class's tests are the same dialogue again, to the byte. For every test the dialogues that have come up so far are kept
as a tree, question by question, with what the test said at their ends. A student is asked along that tree. When all
answers are known, the test itself need not run; at the first answer that is not, it does, and gets the answers given
so far without asking for them again. Either way a student's code is called with the same bytes in the same order, and
gets the outcome that the test gives for these answers.

Grading processes of one machine tell each other what they keep (sharing.py): each question once.

Not kept: dialogues in which the worker died or ran out of time, in which memory or time was measured or a second
process
took part, and what would take more than some megabytes.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.pool import shared_log
from autograder.runtime.errors import CrashedError, TimedOutError
from autograder.sandbox.worker import Question, Worker

MOST_BYTES = 48 << 20  # of questions, for one exercise
MOST_ENDINGS = 64  # dialogues of one test: wrong answers are of many kinds
MOST_EXERCISES = 8


@dataclass
class _Step:
    """A question, whether it is asked in a new process, and what comes after each answer: a question, or the end."""

    question: Question
    renewed: bool
    after: dict[bytes, _Step | _End] = field(default_factory=dict)  # by the answer's digest


@dataclass(frozen=True)
class _End:
    entry: dict[str, Any]  # of the test, in pytest-json-report's record

    def says(self, entry: dict[str, Any]) -> bool:
        """Whether that is the same; how long it took does not matter."""
        return _untimed(self.entry) == _untimed(entry)


def _untimed(entry: object) -> object:
    return (
        {key: _untimed(value) for key, value in entry.items() if key != "duration"}
        if isinstance(entry, dict)
        else entry
    )


@dataclass
class _Test:
    """What is known of one test."""

    first: dict[str, _Step | _End] = field(default_factory=dict)
    endings: int = 0
    size: int = 0  # bytes of its questions
    steady: bool = True  # False: after the same answers it asked something else


Told = tuple[Question | None, bool, bytes]
"""A question, whether it was asked in a new process, and the answer's digest. None: the question that is known here."""


class ReplayCache:
    """The dialogues of an exercise's tests under one seed. `about` is all that they depend on but the answers."""

    def __init__(self, about: object = None, others: shared_log.Shared | None = None) -> None:
        self._about, self._others = about, others
        self._tests: dict[str, _Test] = {}

    def first(self, test: str) -> _Step | _End | None:
        """Where a test's dialogues begin."""
        return self._tests.get(test, _Test()).first.get("")

    def keep(self, test: str, told: Sequence[Told], entry: dict[str, Any]) -> None:
        """Add a test's dialogue, and what it came to; the other grading processes get it, too."""
        if new := self._added(test, told, entry):
            self._tell(test, new, entry)

    def hear(self, test: str, told: Sequence[Told], entry: dict[str, Any] | None) -> None:
        """Add what another grading process has kept; no entry: it does not trust the test any more."""
        if entry is None:
            self._tests[test] = _Test(steady=False)
        else:
            self._added(test, told, entry)

    def _added(self, test: str, told: Sequence[Told], entry: dict[str, Any]) -> list[Told]:
        """The dialogue as it is told to others: without the questions that were known. Empty: it was not added."""
        about = self._tests.setdefault(test, _Test())
        if about.endings >= MOST_ENDINGS:
            about = self._tests[test] = _Test()
        size = sum(len(question.frame) for question, _, _ in told if question)
        if not about.steady or size + sum(known.size for known in self._tests.values()) > MOST_BYTES:
            return []
        new: list[Told] = []
        place: dict[Any, _Step | _End] = about.first
        key: str | bytes = ""
        for question, renewed, digest in told:
            if key not in place and question is None:
                return []  # it was known to who told it, and is not here
            new.append((None if key in place else question, renewed, digest))
            if key not in place and question:
                place[key] = _Step(question, renewed)
                about.size += len(question.frame)
            step = place[key]
            if isinstance(step, _End) or (step.question, step.renewed) != (question or step.question, renewed):
                return self.distrust(test)
            place, key = step.after, digest
        if key in place:  # two grading processes may find out the same
            end = place[key]
            return [] if isinstance(end, _End) and end.says(entry) else self.distrust(test)
        place[key] = _End(entry)
        about.endings += 1
        return new

    def distrust(self, test: str) -> list[Told]:
        """Keep nothing more of a test that goes another way after the same answers."""
        self._tests[test] = _Test(steady=False)
        self._tell(test, [], None)
        return []

    def _tell(self, test: str, told: Sequence[Told], entry: dict[str, Any] | None) -> None:
        if self._others:
            self._others.tell((self._about, test, told, entry))


_KNOWN: dict[object, ReplayCache] = {}


def known(about: object) -> ReplayCache:
    """What this machine's grading processes know about an exercise's tests; `about` is all that they depend on."""
    others = shared_log.shared()
    for theirs, test, told, entry in others.news() if others else ():
        _known(theirs, others).hear(test, told, entry)
    return _known(about, others)


def _known(about: object, others: shared_log.Shared | None) -> ReplayCache:
    found = _KNOWN.pop(about, None) or ReplayCache(about, others)
    _KNOWN[about] = found
    if len(_KNOWN) > MOST_EXERCISES:
        del _KNOWN[next(iter(_KNOWN))]  # that which was not used for longest
    return found


class ReplayingWorker:
    """One submission's end of all dialogues: the endpoint of its tests, between them and its worker."""

    def __init__(self, worker: Worker, known: ReplayCache) -> None:
        self.worker, self.known = worker, known
        self._said: deque[tuple[Question, bool, bytes | Exception]] = deque()  # before the test was run
        self._told: list[tuple[Question, bool, bytes]] = []
        self._renew = self._strayed = False
        self._repeatable = True

    @property
    def methods(self) -> set[tuple[str, str]]:
        """The methods seen so far, in this test."""
        return self.worker.methods

    def begin(self, test: str, number: int) -> dict[str, Any] | None:
        """Ask along what is known of a test; its entry in the record, or None: it has to be run."""
        self.worker.turn(number)
        self._said, self._told = deque(), []
        self._renew, self._strayed, self._repeatable = False, False, True
        started = time.perf_counter()
        step = self.known.first(test)
        while isinstance(step, _Step):
            answer = self._answer(step.question, step.renewed)
            self._said.append((step.question, step.renewed, answer))
            step = step.after.get(_digest(answer)) if isinstance(answer, bytes) else None
        if step is None:
            return None
        took = {"duration": time.perf_counter() - started}
        return step.entry | {
            "setup": step.entry["setup"] | {"duration": 0.0},
            "call": step.entry.get("call", {}) | took,
        }

    def ended(self, test: str) -> bool:
        """Whether the test asked for all that was said before it ran; if not, it must begin anew, in a new process."""
        if not self._strayed and not self._said:
            return True
        self.known.distrust(test)
        self.worker.fresh()
        return False

    def keep(self, test: str, entry: dict[str, Any]) -> None:
        """Remember what the test that was run came to, if its dialogue can be repeated."""
        if self._repeatable:
            self.known.keep(test, self._told, entry)

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request of the test that is running."""
        if request.get("measured"):
            return self._live().run(request)
        question = self.worker.question(request)
        renew, self._renew = self._renew, False
        answer = self._said_before(question, renew) if self._said else self._answer(question, renew)
        try:
            if isinstance(answer, Exception):
                raise answer
            reply = self.worker.believed(answer, request, question)
        except (TimedOutError, CrashedError):
            self._repeatable = False
            raise
        self._told.append((question, renew, _digest(answer)))
        return reply

    def fresh(self) -> ReplayingWorker:
        """The next request is answered in a new process."""
        self._renew = True
        return self

    def evaluator(self) -> Worker:
        """A process without a submission."""
        return self._live().evaluator()

    def _live(self) -> Worker:
        """The worker itself, for what is part of no dialogue."""
        self._repeatable = False
        if self._renew:
            self.worker.fresh()
            self._renew = False
        return self.worker

    def _said_before(self, question: Question, renew: bool) -> bytes | Exception:
        asked, renewed, answer = self._said.popleft()
        if (asked, renewed) != (question, renew):
            self._strayed = True
            return CrashedError("the test asked something else than before, after the same answers")
        return answer

    def _answer(self, question: Question, renew: bool) -> bytes | Exception:
        if renew:
            self.worker.fresh()
        try:
            return self.worker.ask(question)
        except (TimedOutError, CrashedError) as error:
            return error


def _digest(answer: bytes) -> bytes:
    return hashlib.sha256(answer).digest()
