"""One running worker as the grader sees it: its pipes, its clock, its end. Nothing that it sends is believed."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograder.records import Limits
from autograder.runtime import wire
from autograder.runtime.errors import CrashedError, TimedOutError
from autograder.sandbox import jail, scratch, worker_main
from autograder.sandbox.launcher import GRACE_S, ZygoteError, zygote

HELLO_S = 60.0
WALL_FACTOR = 10.0  # a sleeper uses no CPU time: the wall clock stops it
TICK_MS = 100
CANARIES = ("/etc/passwd",)  # readable by everybody, so only the jail can refuse it


class Process:
    """A forked worker, from its first word (`hello`: which isolation it found) to its death."""

    def __init__(
        self, limits: Limits, layers: Sequence[str], secrets: Sequence[str], foreign: Sequence[str], cuda: bool = False
    ) -> None:
        self.limits = limits
        self.zygote = zygote()
        self._seen_s = 0.0
        self._idle_limit_s = math.inf
        self._idle_start_s: float | None = None  # at the first look in this exchange
        self._end = contextlib.ExitStack()
        try:
            self._open(layers, secrets, foreign, cuda)
            self.hello = self._greet()
        except OSError as error:
            self.kill()
            raise ZygoteError(f"a worker could not be started: {error}") from None
        except BaseException:
            self.kill()
            raise

    def _open(self, layers: Sequence[str], secrets: Sequence[str], foreign: Sequence[str], cuda: bool) -> None:
        self.pidfd = -1
        self.scratch = tempfile.mkdtemp(dir=self.zygote.folder)
        self._end.callback(scratch.remove, self.scratch)
        self._on_disk = "namespaces" not in layers
        theirs = contextlib.ExitStack()
        with theirs:
            their_in, self.to_worker = os.pipe()
            theirs.callback(os.close, their_in)
            self._end.callback(os.close, self.to_worker)
            self.from_worker, their_out = os.pipe()
            theirs.callback(os.close, their_out)
            self._end.callback(os.close, self.from_worker)
            self.pid = self.zygote.fork(self._message(layers, secrets, foreign, cuda), (their_in, their_out))
        self.pidfd = os.pidfd_open(self.pid)
        self._end.callback(os.close, self.pidfd)
        os.set_blocking(self.to_worker, False)
        os.set_blocking(self.from_worker, False)

    def _message(
        self, layers: Sequence[str], secrets: Sequence[str], foreign: Sequence[str], cuda: bool
    ) -> dict[str, Any]:
        plan = jail.JailSpec(
            layers=tuple(layers),
            readable=jail.library_trees(Path(__file__).resolve().parent.parent),
            scratch=self.scratch,
            memory_mb=self.limits.memory_mb,
            scratch_mb=self.limits.scratch_mb,
            cpu_s=int(self.limits.submission_cpu_s + GRACE_S) + 1,
            cuda=cuda,
        )
        # a low number may be the worker's own in its process namespace, and its own environment it may read
        ours = (f"/proc/{os.getpid()}/environ",) if os.getpid() > 9 else ()
        return {
            "plan": asdict(plan),
            "secrets": (*CANARIES, *ours, *secrets),
            "foreign": tuple(foreign),
            "grader": os.getpid(),
        }

    def _greet(self) -> dict[str, Any]:
        try:
            hello = wire.parse(self._receive(time.monotonic() + HELLO_S, math.inf), worker_main.wrap)
        except (TimedOutError, CrashedError, wire.WireError) as error:
            raise ZygoteError(f"a worker did not start: {error}") from None
        return dict(hello)

    def cpu_s(self) -> float:
        """CPU seconds of all the worker's threads so far; of a dead worker, as far as they were seen."""
        with contextlib.suppress(OSError):
            self._seen_s = time.clock_gettime((~self.pid << 3) | 2)  # clock_getcpuclockid(3)
        return self._seen_s

    def slept_s(self) -> float:
        """Seconds in which the worker slept in the last exchange, as far as it was looked at."""
        return 0.0 if self._idle_start_s is None else max(0.0, self._idle_s() - self._idle_start_s)

    def _idle_s(self) -> float:
        """Seconds on some clock in which neither the worker nor this thread ran, or waited for a core."""
        ours, theirs = _schedule_of("thread-self"), _schedule_of(self.pid)
        return time.monotonic() - self.cpu_s() - sum(ours) - theirs[1]

    def exchange(self, frame: bytes, cpu_s: float, wall_s: float, idle_s: float = math.inf) -> bytes:
        """Send one frame and read the one that answers it.

        Within `cpu_s` CPU seconds, `wall_s` seconds, and `idle_s` seconds in which the worker sleeps: those don't grow
        on a busy machine. Sleep is looked at from the first tick on, since most calls end before it.
        """
        if _is_ready(self.from_worker, select.POLLIN, 0):
            raise CrashedError("the worker died, or sent what nobody asked for, between two calls")
        deadline = time.monotonic() + wall_s
        stop = self.cpu_s() + cpu_s
        self._idle_limit_s, self._idle_start_s = idle_s, None
        self._watch_disk()
        self._write(memoryview(frame), deadline, stop)
        return self._receive(deadline, stop)

    def _write(self, view: memoryview, deadline: float, stop: float) -> None:
        while view:
            try:
                view = view[os.write(self.to_worker, view[: 1 << 20]) :]
            except BlockingIOError:
                self._wait(self.to_worker, select.POLLOUT, deadline, stop)
            except BrokenPipeError:
                raise self._death() from None

    def _receive(self, deadline: float, stop: float) -> bytes:
        """One frame, of which only the claimed lengths were looked at."""
        prefix = self._read(wire.PREFIX.size, deadline, stop)
        header_size, body_size = wire.PREFIX.unpack(prefix)
        if header_size > wire.MAX_HEADER or body_size > self.limits.reply_mb << 20:
            raise CrashedError(f"it returned more than {self.limits.reply_mb} MB")
        prefix += self._read(header_size + body_size, deadline, stop)
        return bytes(prefix)

    def _read(self, size: int, deadline: float, stop: float) -> bytearray:
        """Exactly `size` bytes: what a worker sends beyond its reply is found before the next request."""
        data = bytearray()
        while len(data) < size:
            try:
                chunk = os.read(self.from_worker, min(size - len(data), 1 << 20))
            except BlockingIOError:
                self._wait(self.from_worker, select.POLLIN, deadline, stop)
                continue
            if not chunk:
                raise self._death()
            data += chunk
            if len(data) < size:  # a worker that dribbles never makes this end wait
                self._watch(deadline, stop)
        return data

    def _wait(self, descriptor: int, event: int, deadline: float, stop: float) -> None:
        while not _is_ready(descriptor, event, TICK_MS):
            self._watch(deadline, stop)

    def _watch(self, deadline: float, stop: float) -> None:
        """Raise when the worker has used up its time, or its disk where no namespace caps that."""
        if self.cpu_s() > stop:
            raise TimedOutError("it used more CPU time than a right answer ever needs; is there an endless loop?")
        if self._idle_start_s is None:
            self._idle_start_s = self._idle_s()
        if time.monotonic() > deadline or self.slept_s() > self._idle_limit_s:
            raise TimedOutError("it did not answer in time; does it sleep or wait for something?")
        self._watch_disk()

    def _watch_disk(self) -> None:
        if self._on_disk and scratch.is_over(self.scratch, self.limits.scratch_mb, self.pid):
            raise CrashedError(f"it wrote more than {self.limits.scratch_mb} MB of files, or too many of them")

    def _death(self) -> Exception:
        if self.zygote.died():
            return ZygoteError("the sandbox's interpreter ended, and the worker with it")
        return CrashedError("the code ended the worker process (a crash, os._exit, or out of memory)")

    def kill(self) -> float:
        """End the worker and everything it had; returns the CPU seconds it used."""
        used = 0.0
        if self.pidfd >= 0:
            used = self.cpu_s()
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            _is_ready(self.pidfd, select.POLLIN, int(GRACE_S * 5000))
        self._end.close()
        return used


def _schedule_of(process: int | str) -> tuple[float, float]:
    """Seconds for which the first thread of a process has run, and has waited for a core; 0 where nothing tells."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{process}/schedstat", "rb") as file:
        ran, waited, _ = file.read().split()
        return int(ran) / 1e9, int(waited) / 1e9
    return 0.0, 0.0


def _is_ready(descriptor: int, event: int, timeout_ms: int) -> bool:
    poll = select.poll()  # select() can't watch a descriptor above 1023
    poll.register(descriptor, event)
    return bool(poll.poll(timeout_ms))
