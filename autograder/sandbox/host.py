"""The trusted end: asks the zygote for workers, and believes nothing that a worker says.

`Worker` is the endpoint that a `Student` talks to. It is started when it is first needed, killed at the first
breach (too slow, too long, malformed, unasked), and started again for the next call.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from autograder import memory
from autograder.model import Limits, PtqlabError
from autograder.sandbox import jail, probes, replies
from autograder.sandbox.launcher import Zygote, ZygoteError, zygote
from autograder.sandbox.process import WALL_FACTOR, Process
from autograder.student import Crashed, TimedOut

__all__ = ["IsolationError", "Walls", "Worker", "Zygote", "ZygoteError", "zygote"]

BREACH = "the worker broke the protocol"


class IsolationError(PtqlabError):
    """This machine does not hold the isolation floor; nothing is graded."""


@dataclass(frozen=True)
class Walls:
    """What a worker must not reach: paths it may not read, folders it may not write in; layers to apply.

    `cuda`: it may use the GPU, whose driver is then the one thing more that it reaches.
    """

    secrets: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ("/tmp", "/var/tmp", "/dev/shm", str(Path(__file__).parent))
    layers: tuple[str, ...] = jail.LAYERS
    required: bool = True  # False: --isolation=none
    cuda: bool = False


class Worker:
    """One submission's code, jailed. `run` answers requests; a breach kills the worker and is the call's outcome."""

    def __init__(
        self, source: str, limits: Limits, walls: Walls | None = None, preload: tuple[str, ...] = ()
    ) -> None:
        self.source, self.limits, self.walls, self.preload = source, limits, walls or Walls(), preload
        self.problems: tuple[str, ...] = ()
        self.methods: set[tuple[str, str]] = set()
        self.isolation = ""
        self.cuda_trouble = ""  # why the GPU can't be used in the jail
        self.used_s = 0.0  # CPU seconds of workers that have ended
        self._waited_s = 0.0  # wall seconds, for submissions that sleep
        self._stops: Counter[str] = Counter()  # timeouts by function
        self._unloadable: Exception | None = None
        self._process: Process | None = None
        self._evaluator: Worker | None = None
        self._sent = 0
        self._first = 1  # number of the running worker's first handle: lower ones ended with their worker

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
            self._evaluator = Worker("", self.limits, self.walls, self.preload)
        self._evaluator.fresh()
        return self._evaluator

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; raises TimedOut or Crashed when the worker does not."""
        name = f"{request['target'] or ''}{request['name']}"
        if self._stops[name] >= 2:
            raise TimedOut("not called again: it ran out of time twice before")
        self._start()
        if any(number < self._first for number in replies.handles(request)):
            raise Crashed("the object it belongs to was lost when the worker process ended")
        watched = memory.Watch(self._pid()) if request.get("memory") else contextlib.nullcontext()
        try:
            with watched as seen:
                reply = self._exchange(request)
        except TimedOut:
            self._stops[name] += 1
            raise
        if not replies.is_sound(reply, request):
            self._kill()
            raise Crashed(BREACH)
        told = replies.in_our_words(reply)
        return told if seen is None else told | {"facts": told["facts"] | {"peak_growth_mb": seen.growth_mb}}

    def start(self) -> None:
        """Start the worker now, to see what isolation it reaches and whether the submission loads."""
        with contextlib.suppress(TimedOut, Crashed):
            self._start()

    def _start(self) -> None:
        if self._unloadable is not None:
            raise self._unloadable
        if self._process is not None:
            return
        zygote().preload(self.preload)
        self._process = _launch(self.limits, self.walls)
        self._first += 1 << 32
        self.cuda_trouble = str(self._process.hello["cuda"])
        self.isolation = ", ".join(self._process.hello["reached"]) if self.walls.required else "none"
        try:
            reply = self._exchange({"op": "load", "source": self.source, "first": self._first})
            if not replies.is_load(reply):
                self._kill()
                raise Crashed(BREACH)
        except (TimedOut, Crashed) as error:
            kind = type(error)
            self._unloadable = kind(f"running the notebook's own statements: {error}")
            raise self._unloadable from None
        self.problems = tuple(reply["problems"])

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        left_s = self.limits.submission_cpu_s - self.used_s - process.cpu_s()
        wall_left_s = self.limits.submission_cpu_s * WALL_FACTOR - self._waited_s
        if left_s <= 0 or wall_left_s <= 0:
            self._kill()
            raise TimedOut(f"the submission has used its {self.limits.submission_cpu_s:g} CPU seconds, or slept too long")
        self._sent += 1
        cpu_s = min(self.limits.call_cpu_s, left_s)
        started = time.monotonic()
        try:
            reply = process.exchange(request | {"id": self._sent}, cpu_s, min(cpu_s * WALL_FACTOR, wall_left_s))
        except BaseException:
            self._kill()
            raise
        finally:
            self._waited_s += time.monotonic() - started
        if not replies.answers(reply, self._sent):
            self._kill()
            raise Crashed("the worker answered something that was not asked")
        return dict(reply)

    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _kill(self) -> None:
        if self._process is not None:
            self.used_s += self._process.kill()
            self._process = None


def _launch(limits: Limits, walls: Walls) -> Process:
    """A worker that holds the floor: with every layer that this machine gives, without namespaces where it does not."""
    process = Process(limits, _layers(walls.layers), walls.secrets, walls.foreign, walls.cuda)
    if process.hello["namespaces"]:
        process.zygote.namespaces_refused = process.hello["namespaces"]
        process.kill()
        process = Process(limits, _layers(walls.layers), walls.secrets, walls.foreign, walls.cuda)
    if process.hello["trouble"] and not walls.required:
        process.kill()
        raise ZygoteError(f"a worker did not start: {process.hello['trouble']}")
    open_items = [item for item in probes.FLOOR if process.hello["held"].get(item) is not True]
    if walls.required and open_items:
        process.kill()
        raise _below_the_floor(process, walls, open_items)
    return process


def _layers(wanted: Sequence[str]) -> tuple[str, ...]:
    return tuple(layer for layer in wanted if layer != "namespaces" or not zygote().namespaces_refused)


def _below_the_floor(process: Process, walls: Walls, open_items: Sequence[str]) -> IsolationError:
    refused = process.zygote.namespaces_refused
    trouble = process.hello["trouble"]
    landlocked = trouble or any(layer.startswith("Landlock") for layer in process.hello["reached"])
    troubles = [
        trouble,
        f"namespaces are refused: {refused}" if refused else "",
        "" if landlocked or "landlock" not in walls.layers else "Landlock is not offered by this kernel",
        process.zygote.trouble,
    ]
    why = "; ".join(filter(None, troubles))
    return IsolationError(
        f"Grading needs isolation that this machine does not give: {', '.join(probes.IN_WORDS[i] for i in open_items)}"
        f"{f' ({why})' if why else ''}. Run `ptqlab doctor` to see why, or accept the risk with --isolation=none."
    )
