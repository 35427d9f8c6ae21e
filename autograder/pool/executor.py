"""Grading processes as an executor: `submit` a function, get a future; a process that dies loses only its own job.

All are forks of one interpreter in which torch is imported (sandbox/nursery.py), so a new one costs little: after
some hundred runs, or when it keeps memory of one, a process is replaced, and memory stays flat. Each is bound to one
core together with its worker: the two only ever take turns, and a message to the same core costs a fraction of one to
another.
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

from autograder.pool import shared_log
from autograder.pool.forkserver import ForkServer
from autograder.records import PtqlabError
from autograder.runtime.memory import anonymous_mb
from autograder.sandbox import launcher
from autograder.sandbox.launcher import ZygoteError

RUNS_PER_PROCESS = 300  # pytest keeps a little of every run
# of memory, above what it has after its first job: cells and dialogues take 5 in 100, the largest frame leaves 12
KEPT_MB = 12.0
MEMORY_PER_PROCESS = 2 << 30  # bytes, its worker included: what a submission of the whole course may take
GPU_MEMORY_PER_PROCESS = 4 << 30  # bytes: a CUDA context each for it and its worker, whose tensors are capped at 3 GB
GPU_ANSWER_S = 20.0
END_S = 10.0  # for a grading process and its zygote to end


def default_jobs(device: str = "cpu") -> int:
    """How many grading processes this machine has cores and memory for, at least one; on `device`, if not the CPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    counts = [cores, memory // MEMORY_PER_PROCESS]
    if device != "cpu" and (gpu := _gpu_memory()) is not None:
        counts.append(gpu // GPU_MEMORY_PER_PROCESS)
    return max(1, min(counts))


def _gpu_memory() -> int | None:
    """The free memory in bytes of the GPU that torch would take; None without one. CUDA is not started for it."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    command = ["nvidia-smi", f"--id={first}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=GPU_ANSWER_S, check=True)
        return int(done.stdout.split()[0]) << 20
    return None


class GraderDiedError(Exception):
    """A grading process ended in the middle of a job."""


class GraderGivenUpError(GraderDiedError):
    """It did so each time that the executor tried."""


@dataclass
class _Grader:
    pid: int
    jobs: Connection
    runs: int = 0
    settled_mb: float | None = None  # its memory after its first job

    def end(self) -> None:
        """Let it end, and wait for that: two at a time would take twice the memory."""
        ended = launcher.Forked(self.pid)
        self.jobs.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            ended.wait(END_S)
        ended.close()

    def should_recycle(self, kept_mb: float) -> bool:
        """Whether it has worked long enough, or keeps memory of what it has worked on; asked between two jobs."""
        if self.runs >= RUNS_PER_PROCESS:
            return True
        now = anonymous_mb(self.pid)
        if self.runs and self.settled_mb is None:
            self.settled_mb = now
        return (now or 0.0) > (self.settled_mb or math.inf) + kept_mb


class GraderPool(Executor):
    """So many grading processes, each with a zygote of its own; they are started when they are first needed.

    `pin_to_core`: each is bound to a core of its own, which only works out for the one who hands out this machine's
    cores.
    `preload`: modules of libraries that all of them will need, imported once for all. `kept_mb`: one that keeps so much
    more than after its first job is replaced.
    """

    def __init__(
        self, count: int, pin_to_core: bool = True, preload: Iterable[str] = (), kept_mb: float = math.inf
    ) -> None:
        self._kept_mb = kept_mb
        self._preload = tuple(dict.fromkeys(preload))
        self._queue: queue.SimpleQueue[tuple[Future[Any], Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._nursery: ForkServer | None = None
        self._shared = shared_log.new_file()
        self._closed = False
        cores = sorted(os.sched_getaffinity(0)) if pin_to_core and hasattr(os, "sched_getaffinity") else []
        places = [cores[(os.getpid() + index) % len(cores)] if cores else None for index in range(count)]
        self._threads = [threading.Thread(target=self._attend, args=(core,), daemon=True) for core in places]
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
        """Let the processes end: after what they have to do, or at once where that is cancelled and not waited for."""
        if not self._closed:
            self._closed = True
            if cancel_futures:
                with contextlib.suppress(queue.Empty):
                    while (item := self._queue.get_nowait()) is not None:
                        item[0].cancel()
                if not wait and self._nursery is not None:
                    self._nursery.control.close()  # Ctrl-C: it ends its grading processes in the middle of their jobs
            for _ in self._threads:
                self._queue.put(None)
        if wait:
            for thread in self._threads:
                thread.join()
            if self._nursery is not None:
                self._nursery.close()
                self._nursery = None
            self._shared.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.shutdown(wait=False, cancel_futures=True)
        self.shutdown()

    def _attend(self, core: int | None) -> None:
        """One thread for each process: hands it a job, waits for the answer."""
        host: _Grader | None = None
        while (item := self._queue.get()) is not None:
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if host is not None and host.should_recycle(self._kept_mb):
                    host.end()
                    host = None
                host = host or self._start(core)
                host.runs += 1
                succeeded, value = _ask(host, work)
            except (EOFError, OSError):
                if host is not None:
                    host.jobs.close()
                    host = None
                future.set_exception(GraderDiedError(f"the grading process died; the last it said: {self._said()}"))
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(value) if succeeded else future.set_exception(value)
        if host is not None:
            host.jobs.close()

    def _said(self) -> str:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be closed by now
            return self._nursery.said()  # type: ignore[union-attr]
        return "nothing"

    def _start(self, core: int | None) -> _Grader:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                if self._nursery is None or self._nursery.process.poll() is not None:
                    self._nursery = ForkServer(self._preload)
                pid = self._nursery.fork(theirs, self._shared.fileno(), core)
            except ZygoteError as error:
                raise PtqlabError(f"The grader can't start its processes: {error}") from None
        jobs = Connection(ours.detach())
        jobs.send((dict(os.environ), os.getcwd(), sys.path))
        return _Grader(pid, jobs)


def _ask(host: _Grader, work: object) -> tuple[bool, Any]:
    host.jobs.send(work)
    return host.jobs.recv()  # type: ignore[no-any-return]


# --- in the grading process ---------------------------------------------------------------------------------------
