"""A bound on the CPU time that a test itself takes in this process; a worker's time is bounded elsewhere."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

OWN_WORK_CPU_S = 180.0  # the slowest test of the course takes some 20, references and models included
TOO_LONG = "judging what the calls returned takes longer than for any right answer"


class OwnWorkTooLongError(BaseException):
    """A test took more CPU time in this process than any right answer needs. No `except Exception` catches it."""


@contextlib.contextmanager
def at_most(cpu_s: float) -> Iterator[None]:
    """Raise OwnWorkTooLongError in the block once this process has used `cpu_s` CPU seconds there.

    Without effect where there are no such timers (Windows) and outside of the main thread.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise OwnWorkTooLongError(TOO_LONG)

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
