"""The trusted end: asks the zygote for workers, and believes nothing that a worker says.

`Worker` is the endpoint that a `Student` talks to. It is started when it is first needed, killed at the first
breach (too slow, too long, malformed, unasked), and started again for the next call.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from autograder.records import Limits, PtqlabError
from autograder.runtime import dispatcher, memory, wire
from autograder.runtime.errors import CrashedError, TimedOutError
from autograder.runtime.tree import tree_items
from autograder.runtime.wire import HandleRef
from autograder.sandbox import jail, probes, replies, worker_main
from autograder.sandbox.launcher import Zygote, ZygoteError, zygote
from autograder.sandbox.process import WALL_FACTOR, Process

__all__ = ["IsolationError", "Question", "SandboxPolicy", "Worker", "Zygote", "ZygoteError", "zygote"]

BREACH = "the worker broke the protocol"
CALLS_PER_TURN = 1 << 20
MOST_HALVINGS = 2  # of the time for a call, by functions that ran out of it: a right answer may need a quarter
MOST_SLEEP = 2  # times the limit of one call that a submission may sleep in all its calls
LOADS = 1 << 40  # requests to load the submission are numbered from here on: they belong to no turn


class IsolationError(PtqlabError):
    """This machine does not hold the isolation floor; nothing is graded."""


@dataclass(frozen=True)
class SandboxPolicy:
    """What a worker must not reach: paths it may not read, folders it may not write in; layers to apply.

    `cuda`: it may use the GPU, whose driver is then the one thing more that it reaches.
    """

    secrets: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ("/tmp", "/var/tmp", "/dev/shm", str(Path(__file__).parent))
    layers: tuple[str, ...] = jail.LAYERS
    required: bool = True  # False: --isolation=none
    cuda: bool = False


@dataclass(frozen=True)
class Question:
    """A request as it is sent: in one turn, the same bytes for every student."""

    frame: bytes
    number: int
    name: str  # of the function, with what made its object: one that ran out of time is not called any more
    oldest: int  # the lowest number of an object that it speaks of; 0: of none


class Worker:
    """One submission's code, jailed. `run` answers requests; a breach kills the worker and is the call's outcome."""

    def __init__(
        self,
        source: str,
        limits: Limits,
        policy: SandboxPolicy | None = None,
        preload: tuple[str, ...] = (),
        helpers: Mapping[str, str] = MappingProxyType({}),
        late_annotations: bool = False,
        patient: bool = True,
    ) -> None:
        self.source, self.limits, self.policy, self.preload = source, limits, policy or SandboxPolicy(), preload
        self._loading = {"source": source, "helpers": dict(helpers), "late_annotations": late_annotations}
        self._patient = patient  # without it, nothing is asked any more after the first timeout
        self.gave_up = False
        self.problems: tuple[str, ...] = ()
        self.methods: set[tuple[str, str]] = set()
        self.isolation = ""
        self.cuda_trouble = ""  # why the GPU can't be used in the jail
        self.used_s = 0.0  # CPU seconds of workers that have ended
        self._waited_s = 0.0  # wall seconds
        self._slept_s = 0.0  # of these, seconds in which it slept
        self._stops: dict[str, float] = {}  # functions that ran out of time, and the seconds they had
        self._makers: dict[int, str] = {}  # objects of this turn, and the functions that returned them
        self._lost: type[Exception] = CrashedError  # how the objects of earlier workers were lost
        self._unloadable: Callable[[], Exception] | None = None
        self._process: Process | None = None
        self._evaluator: Worker | None = None
        self._number = 0
        self._loads = LOADS
        self._oldest = 0  # the lowest number that an object in the running process can have: others ended with theirs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        if self._evaluator is not None:
            self._evaluator._kill()

    def fresh(self) -> Worker:
        """The same submission, in a process of its own that is started when it is needed; the old one is gone."""
        self._kill()
        return self

    def evaluator(self) -> Worker:
        """A worker without a submission, in the same jail and each time anew: it runs the files that one has made."""
        if self._evaluator is None:
            self._evaluator = Worker("", self.limits, self.policy, self.preload)
        self._evaluator.fresh()
        return self._evaluator

    def turn(self, number: int) -> None:
        """Number the requests from here on as those of this test: they don't depend on what was asked before."""
        self._number = number * CALLS_PER_TURN
        self.methods.clear()
        self._makers.clear()

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; raises TimedOutError or Crashed when the worker does not."""
        question = self.question(request)
        if not request.get("measured"):
            return self.believed(self.ask(question), request, question)
        self._prepare(question)
        started = time.perf_counter()
        with memory.Watch(self._pid()) as watch:
            raw = self.ask(question)
        reply, seconds = self.believed(raw, request, question), time.perf_counter() - started
        measured = {"start_mb": watch.start_mb, "peak_growth_mb": watch.growth_mb, "seconds": seconds}
        return reply | {"facts": reply["facts"] | measured}

    def question(self, request: dict[str, Any]) -> Question:
        """The next question, in the form in which it is sent."""
        self._number += 1
        frame = b"".join(wire.encode(request | {"id": self._number}, worker_main.unwrap))
        handles = list(replies.handles(request))
        makers = handles if request["op"] == "kit" else handles[: bool(request["target"])]
        name = ".".join([*(self._makers.get(handle, str(handle)) for handle in makers), request["name"]])
        return Question(frame, self._number, name, min(handles, default=0))

    def ask(self, question: Question) -> bytes:
        """The worker's answer, not yet believed; raises TimedOutError or Crashed when there is none."""
        self._prepare(question)
        try:
            return self._exchange(question.frame)
        except TimedOutError:
            if self.used_s < self.limits.submission_cpu_s:  # else the submission's time was up, not the call's
                self._stops.setdefault(question.name, self._call_s())
            raise

    def _call_s(self) -> float:
        """The seconds that the next call gets: half as many after each of the first two functions that ran out of time.
        A quarter is left for all others: an endless loop in one task costs no right answer in another.
        """
        return self.limits.call_cpu_s * 0.5 ** min(len(self._stops), MOST_HALVINGS)

    def _prepare(self, question: Question) -> None:
        if self.gave_up:
            raise TimedOutError("not called: an earlier call ran out of time, and this submission is graded later")
        if question.name in self._stops:
            name, seconds = question.name.rpartition(".")[2], self._stops[question.name]
            raise TimedOutError(
                f"{name} did not return within {seconds:.3g} s in an earlier call: it is not called again"
            )
        self._start(question.number)
        if 0 < question.oldest < self._oldest:
            raise self._lost("the object it belongs to was lost when the worker process ended")

    def believed(self, raw: bytes, request: dict[str, Any], question: Question) -> dict[str, Any]:
        """What the worker said, if it has the form of an answer to this; raises Crashed, and ends it, if not."""
        reply = self._read(raw, question.number)
        if not replies.is_sound(reply, request):
            self._kill()
            raise CrashedError(BREACH)
        for item in tree_items(reply["value"]):
            if isinstance(item, HandleRef):
                self._makers.setdefault(item.number, question.name)
        return replies.in_our_words(reply)

    def _read(self, raw: bytes, number: int) -> dict[str, Any]:
        try:
            reply = wire.parse(raw, worker_main.wrap)
        except wire.WireError as error:
            self._kill()
            raise CrashedError(f"{BREACH}: {error}") from None
        if not replies.answers(reply, number):
            self._kill()
            raise CrashedError("the worker answered something that was not asked")
        return dict(reply)

    def start(self) -> None:
        """Start the worker now, to see what isolation it reaches and whether the submission loads."""
        with contextlib.suppress(TimedOutError, CrashedError):
            self._start(self._number + 1)

    def _start(self, number: int) -> None:
        """Have the worker running in which the question of that number is asked."""
        if self._unloadable is not None:
            raise self._unloadable()
        if self._process is not None:
            return
        self._left()
        zygote().preload(self.preload)
        self._process = _launch(self.limits, self.policy)
        self._oldest = dispatcher.first_object(number)
        self.cuda_trouble = str(self._process.hello["cuda"])
        self.isolation = ", ".join(self._process.hello["reached"]) if self.policy.required else "none"
        self._loads += 1
        try:
            request = {"op": "load", "id": self._loads, **self._loading}
            frame = b"".join(wire.encode(request, worker_main.unwrap))
            reply = self._read(self._exchange(frame), self._loads)
            if not replies.is_load(reply):
                self._kill()
                raise CrashedError(BREACH)
        except (TimedOutError, CrashedError) as error:
            # each test gets an exception of its own: one that is raised a hundred times keeps the frames of all of them
            self._unloadable = partial(type(error), f"running the notebook's own statements: {error}")
            raise self._unloadable() from None
        self.problems = tuple(reply["problems"])

    def _exchange(self, frame: bytes) -> bytes:
        left_s, wall_left_s = self._left()
        process = self._process
        assert process is not None
        cpu_s = min(self._call_s(), left_s)
        started = time.monotonic()
        try:
            answer = process.exchange(frame, cpu_s, min(cpu_s * WALL_FACTOR, wall_left_s), self._call_s())
            self._slept_s += process.slept_s()
            return answer
        except BaseException as error:
            self.gave_up = not self._patient and isinstance(error, TimedOutError)
            self._slept_s += process.slept_s()
            self._kill()
            self._lost = TimedOutError if isinstance(error, TimedOutError) else CrashedError
            raise
        finally:
            self._waited_s += time.monotonic() - started

    def _left(self) -> tuple[float, float]:
        """The CPU and wall seconds that the submission has left; raises TimedOutError, and starts nothing any more,
        without.
        """
        used_s = self.used_s + (self._process.cpu_s() if self._process is not None else 0.0)
        left_s = self.limits.submission_cpu_s - used_s
        wall_left_s = self.limits.submission_cpu_s * WALL_FACTOR - self._waited_s
        if left_s <= 0 or wall_left_s <= 0 or self._slept_s > MOST_SLEEP * self.limits.call_cpu_s:
            self._kill()
            raise TimedOutError(
                f"the submission has used its {self.limits.submission_cpu_s:g} CPU seconds, or slept too long"
            )
        return left_s, wall_left_s

    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _kill(self) -> None:
        if self._process is not None:
            self.used_s += self._process.kill()
            self._lost = CrashedError
            self._process = None


def _launch(limits: Limits, policy: SandboxPolicy) -> Process:
    """A worker that holds the floor: with every layer that this machine gives, without namespaces where it does not."""
    process = Process(limits, _layers(policy.layers), policy.secrets, policy.foreign, policy.cuda)
    if process.hello["namespaces"]:
        process.zygote.namespaces_refused = process.hello["namespaces"]
        process.kill()
        process = Process(limits, _layers(policy.layers), policy.secrets, policy.foreign, policy.cuda)
    if process.hello["trouble"] and not policy.required:
        process.kill()
        raise ZygoteError(f"a worker did not start: {process.hello['trouble']}")
    open_items = [item for item in probes.FLOOR if process.hello["held"].get(item) is not True]
    if policy.required and open_items:
        process.kill()
        raise _below_the_floor(process, policy, open_items)
    return process


def _layers(wanted: Sequence[str]) -> tuple[str, ...]:
    return tuple(layer for layer in wanted if layer != "namespaces" or not zygote().namespaces_refused)


def _below_the_floor(process: Process, policy: SandboxPolicy, open_items: Sequence[str]) -> IsolationError:
    refused = process.zygote.namespaces_refused
    trouble = process.hello["trouble"]
    landlocked = trouble or any(layer.startswith("Landlock") for layer in process.hello["reached"])
    troubles = [
        trouble,
        f"namespaces are refused: {refused}" if refused else "",
        "" if landlocked or "landlock" not in policy.layers else "Landlock is not offered by this kernel",
        process.zygote.trouble,
    ]
    why = "; ".join(filter(None, troubles))
    return IsolationError(
        f"Grading needs isolation that this machine does not give: {', '.join(probes.IN_WORDS[i] for i in open_items)}"
        f"{f' ({why})' if why else ''}. Run `ptqlab doctor` to see why, or accept the risk with --isolation=none."
    )
