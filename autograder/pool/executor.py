"""Grading processes as an executor: `submit` a function, get a future. A process that dies loses only its own job.

All are forks of one interpreter in which torch is imported (forkserver.py), so a new one costs little: after some
hundred runs, or when it keeps the memory of one, a process is replaced, and memory stays flat. Each is pinned to one
core together with its worker: the two take turns, and a message on the same core costs a fraction of one between cores.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from autograder.pool.forkserver import ForkServer
from autograder.records import PtqlabError
from autograder.runtime.memory import anonymous_mb
from autograder.sandbox import launcher
from autograder.sandbox.launcher import ZygoteError

RUNS_PER_PROCESS = 300  # pytest keeps a little of every run
# above the memory after the first job: in 100 jobs cells and recorded exchanges take 5, and the largest frame leaves 12
KEPT_MB = 12.0
MEMORY_PER_PROCESS = 2 << 30  # bytes, for a submission of the whole course, its worker included
GPU_MEMORY_PER_PROCESS = 4 << 30  # bytes: two CUDA contexts, and the worker's tensors, which are capped at 3 GB
GPU_ANSWER_S = 20.0
END_S = 10.0  # for a grading process and its zygote to end


def default_jobs(device: str = "cpu") -> int:
    """Return how many grading processes this machine has cores and memory for, at least one; GPU memory counts, too,
    where `device` is not the CPU.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    counts = [cores, memory // MEMORY_PER_PROCESS]
    if device != "cpu" and (gpu := _gpu_memory()) is not None:
        counts.append(gpu // GPU_MEMORY_PER_PROCESS)
    return max(1, min(counts))


def _gpu_memory() -> int | None:
    """Return the free bytes of the GPU that torch would take; None without one. CUDA is not started for it."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    command = ["nvidia-smi", f"--id={first}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=GPU_ANSWER_S, check=True)
        return int(done.stdout.split()[0]) << 20
    return None


class GraderDiedError(Exception):
    """A grading process ended in the middle of a job."""


class GraderGivenUpError(GraderDiedError):
    """A grading process ended each time that the executor tried the job."""


@dataclass
class _Grader:
    """A grading process: its number, the pipe to it, and the jobs that it has done."""

    pid: int
    jobs: Connection
    runs: int = 0
    settled_mb: float | None = None  # its memory after its first job

    def end(self) -> None:
        """Let it end, and wait for that: two at a time would take twice the memory."""
        process = launcher.Forked(self.pid)
        self.jobs.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        process.close()

    def should_recycle(self, kept_mb: float) -> bool:
        """Tell, between two jobs, whether it has done enough of them, or keeps memory of what it has worked on."""
        if self.runs >= RUNS_PER_PROCESS:
            return True
        now_mb = anonymous_mb(self.pid)
        if self.runs and self.settled_mb is None:
            self.settled_mb = now_mb
        return (now_mb or 0.0) > (self.settled_mb or math.inf) + kept_mb

    def ask(self, work: object) -> tuple[bool, Any]:
        """Have one job done; return whether it succeeded, and its value or error."""
        self.jobs.send(work)
        return self.jobs.recv()  # type: ignore[no-any-return]


class GraderPool(Executor):
    """A number of grading processes, each with a zygote of its own; they are started when they are first needed.

    `pin_to_core`: pin each to a core of its own, where nobody else hands out this machine's cores. `preload`: modules
    of libraries that all of them need, imported once for all. `kept_mb`: replace a process whose memory exceeds that
    after its first job by so much.
    """

    def __init__(
        self, count: int, pin_to_core: bool = True, preload: Iterable[str] = (), kept_mb: float = math.inf
    ) -> None:
        self._kept_mb = kept_mb
        self._preload = tuple(dict.fromkeys(preload))
        self._queue: queue.SimpleQueue[tuple[Future[Any], Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._forkserver: ForkServer | None = None
        self._closed = False
        cores = sorted(os.sched_getaffinity(0)) if pin_to_core and hasattr(os, "sched_getaffinity") else []
        pinned = [cores[(os.getpid() + index) % len(cores)] if cores else None for index in range(count)]
        self._threads = [threading.Thread(target=self._attend, args=(core,), daemon=True) for core in pinned]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `function(*args, **kwargs)` in a grading process. GraderDiedError when that ended before it was done."""
        if self._closed:
            raise RuntimeError("these grading processes were shut down")
        future: Future[Any] = Future()
        self._queue.put((future, (function, args, kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes: after the jobs that were submitted, or at once where those are cancelled and not waited
        for.
        """
        if not self._closed:
            self._closed = True
            if cancel_futures:
                self._cancel_waiting()
                if not wait and self._forkserver is not None:
                    self._forkserver.control.close()  # Ctrl-C: grading processes end in the middle of their jobs
            for _ in self._threads:
                self._queue.put(None)
        if wait:
            for thread in self._threads:
                thread.join()
            if self._forkserver is not None:
                self._forkserver.close()
                self._forkserver = None

    def _cancel_waiting(self) -> None:
        with contextlib.suppress(queue.Empty):
            while (item := self._queue.get_nowait()) is not None:
                item[0].cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.shutdown(wait=False, cancel_futures=True)
        self.shutdown()

    def _attend(self, core: int | None) -> None:
        """Hand jobs to one grading process after the other, and wait for the answers; a thread for each core."""
        grader: _Grader | None = None
        while (item := self._queue.get()) is not None:
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if grader is not None and grader.should_recycle(self._kept_mb):
                    grader.end()
                    grader = None
                grader = grader or self._start(core)
                grader.runs += 1
                succeeded, value = grader.ask(work)
            except (EOFError, OSError):
                if grader is not None:
                    grader.jobs.close()
                    grader = None
                future.set_exception(
                    GraderDiedError(f"the grading process died; its last output: {self._last_words()}")
                )
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(value) if succeeded else future.set_exception(value)
        if grader is not None:
            grader.jobs.close()

    def _last_words(self) -> str:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be closed by now
            return self._forkserver.last_words()  # type: ignore[union-attr]
        return "nothing"

    def _start(self, core: int | None) -> _Grader:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                if self._forkserver is None or self._forkserver.process.poll() is not None:
                    self._forkserver = ForkServer(self._preload)
                pid = self._forkserver.fork(theirs, core)
            except ZygoteError as error:
                raise PtqlabError(f"The grader can't start its processes: {error}") from None
        jobs = Connection(ours.detach())
        jobs.send((dict(os.environ), os.getcwd(), sys.path))
        return _Grader(pid, jobs)
