"""Results of tests, reused for students whose code gives the same answers.

A test draws its inputs from the assignment's seed, calls the student's functions, and judges their answers. It depends
on nothing else, and most answers of a class are the same to the byte. So the exchanges between each test and students'
code are recorded as a tree: a question, by answer the next question, and at the end of each branch the test's result.

For the next student the recorded questions are asked first. When every answer is recorded, so is the result, and the
test is not run. At the first answer that is not recorded the test runs, and gets the answers given so far without
asking again. Either way a student's code is called with the same bytes in the same order, and the result is the test's
own.

Exchanges are not recorded when the worker died or ran out of time, when memory or time was measured, or when a second
process took part. The size of a cache is bounded.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.runtime.errors import CrashedError, TimedOutError
from autograder.runtime.process_state import STATE
from autograder.sandbox.worker import Question, Worker

MOST_BYTES = 48 << 20  # of questions, in one cache
MOST_RESULTS = 64  # of one test: wrong answers are of many kinds
MOST_CACHES = 8  # a course has five exercises


@dataclass(frozen=True)
class Result:
    """The end of a branch: the test's entry in pytest-json-report's record."""

    entry: dict[str, Any]


@dataclass
class Step:
    """A question, whether a new process answers it, and what follows each answer (by its digest)."""

    question: Question
    fresh: bool
    following: dict[bytes, Step | Result] = field(default_factory=dict)


@dataclass(frozen=True)
class Exchange:
    """A question, whether a new process answered it, and the digest of the answer."""

    question: Question
    fresh: bool
    answer: bytes


@dataclass
class _Tree:
    """The recorded exchanges of one test."""

    branches: dict[bytes, Step | Result] = field(default_factory=dict)  # the first step, under no answer
    results: int = 0
    size: int = 0  # bytes of its questions
    repeatable: bool = True  # False: after the same answers it asked something else


_NO_ANSWER = b""


class ReplayCache:
    """The recorded exchanges of an exercise's tests, under one seed and on the same devices."""

    def __init__(self) -> None:
        self._trees: dict[str, _Tree] = {}

    def start(self, test: str) -> Step | Result | None:
        """Return the first question of a test, or its result when it asks none; None when nothing is recorded."""
        tree = self._trees.get(test)
        return tree.branches.get(_NO_ANSWER) if tree else None

    def record(self, test: str, exchanges: Sequence[Exchange], entry: dict[str, Any]) -> None:
        """Add a test's exchanges and its result. A test that contradicts what is recorded is not trusted any more."""
        tree = self._trees.setdefault(test, _Tree())
        if tree.results >= MOST_RESULTS:
            tree = self._trees[test] = _Tree()
        size = sum(len(exchange.question.frame) for exchange in exchanges)
        if not tree.repeatable or size > MOST_BYTES:
            return
        self._make_room(size, test)
        tree = self._trees[test]
        branches, answer = tree.branches, _NO_ANSWER
        for exchange in exchanges:
            if answer not in branches:
                branches[answer] = Step(exchange.question, exchange.fresh)
                tree.size += len(exchange.question.frame)
            step = branches[answer]
            if isinstance(step, Result) or (step.question, step.fresh) != (exchange.question, exchange.fresh):
                return self.distrust(test)
            branches, answer = step.following, exchange.answer
        if answer in branches:  # it went on from here before, or has ended here without being replayed
            return self.distrust(test)
        branches[answer] = Result(entry)
        tree.results += 1

    def _make_room(self, size: int, kept: str) -> None:
        """Forget the largest tests but `kept` until `size` more bytes fit, and that one last."""
        while size + sum(tree.size for tree in self._trees.values()) > MOST_BYTES:
            others = [name for name, tree in self._trees.items() if tree.size and name != kept]
            largest = max(others, key=lambda name: self._trees[name].size, default=kept)
            self._trees[largest] = _Tree()

    def distrust(self, test: str) -> None:
        """Forget a test and record nothing of it any more: after the same answers it has asked something else."""
        self._trees[test] = _Tree(repeatable=False)


@STATE.keep(MOST_CACHES)
def replay_cache(key: Hashable) -> ReplayCache:
    """Return this process's cache for `key`, which is all that results depend on besides the answers."""
    return ReplayCache()


class ReplayingWorker:
    """The endpoint of one submission's tests: replays what it can, and asks the submission's worker for the rest."""

    def __init__(self, worker: Worker, cache: ReplayCache) -> None:
        self.worker, self.cache = worker, cache
        self._given: deque[tuple[Question, bool, bytes | Exception]] = deque()  # answers given before the test was run
        self._exchanges: list[Exchange] = []
        self._fresh = self._diverged = False
        self._repeatable = True

    @property
    def methods(self) -> set[tuple[str, str]]:
        """The methods seen so far, in this test."""
        return self.worker.methods

    def replay(self, test: str, number: int) -> dict[str, Any] | None:
        """Ask a test's recorded questions; return its entry in the record, or None when the test has to be run."""
        self.worker.turn(number)
        self._given, self._exchanges = deque(), []
        self._fresh, self._diverged, self._repeatable = False, False, True
        started = time.perf_counter()
        step = self.cache.start(test)
        while isinstance(step, Step):
            answer = self._ask(step.question, step.fresh)
            self._given.append((step.question, step.fresh, answer))
            step = step.following.get(_digest(answer)) if isinstance(answer, bytes) else None
        if step is None:
            return None
        call = step.entry.get("call", {}) | {"duration": time.perf_counter() - started}
        return step.entry | {"setup": step.entry["setup"] | {"duration": 0.0}, "call": call}

    def is_consistent(self, test: str) -> bool:
        """Tell whether the test that was run asked every replayed question; if not, it has to be run anew."""
        if not self._diverged and not self._given:
            return True
        self.cache.distrust(test)
        self.worker.fresh()
        return False

    def record(self, test: str, entry: dict[str, Any]) -> None:
        """Record the result of the test that was run, if its exchanges can be repeated."""
        if self._repeatable:
            self.cache.record(test, self._exchanges, entry)

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request of the test that is running."""
        if request.get("measured"):
            return self._unrecorded().run(request)
        question = self.worker.question(request)
        fresh, self._fresh = self._fresh, False
        answer = self._next_given(question, fresh) if self._given else self._ask(question, fresh)
        try:
            if isinstance(answer, Exception):
                raise answer
            reply = self.worker.believed(answer, request, question)
        except (TimedOutError, CrashedError):
            self._repeatable = False
            raise
        self._exchanges.append(Exchange(question, fresh, _digest(answer)))
        return reply

    def fresh(self) -> ReplayingWorker:
        """Have the next request answered in a new process."""
        self._fresh = True
        return self

    def evaluator(self) -> Worker:
        """Return a process without a submission."""
        return self._unrecorded().evaluator()

    def _unrecorded(self) -> Worker:
        """Return the worker itself, for requests that can't be replayed."""
        self._repeatable = False
        if self._fresh:
            self.worker.fresh()
            self._fresh = False
        return self.worker

    def _next_given(self, question: Question, fresh: bool) -> bytes | Exception:
        replayed_question, replayed_fresh, answer = self._given.popleft()
        if (replayed_question, replayed_fresh) != (question, fresh):
            self._diverged = True
            return CrashedError("the test asked something else than before, after the same answers")
        return answer

    def _ask(self, question: Question, fresh: bool) -> bytes | Exception:
        if fresh:
            self.worker.fresh()
        try:
            return self.worker.ask(question)
        except (TimedOutError, CrashedError) as error:
            return error


def _digest(answer: bytes) -> bytes:
    return hashlib.sha256(answer).digest()
