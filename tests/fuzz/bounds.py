"""What one input may cost: CPU seconds by a timer, memory by the most that the process ever held."""

from __future__ import annotations

import contextlib
import resource
import signal
from pathlib import Path
from types import FrameType

CPU_S = 2.0  # an input of some kilobytes takes a reader milliseconds
GROWTH_MB = 128  # of the whole process, over all of its inputs: above what two readers and a fuzzer's tables take


class Broken(AssertionError):
    """A reader did not do what is claimed of it."""


class Hang(BaseException):
    """The input's time is up; no `except Exception` of a reader hides it."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise Hang(f"one input takes more than {CPU_S} CPU seconds")


def _held_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Bounds:
    """`with Bounds():` around one input: raises Hang or Broken when it costs too much."""

    _start_mb = 0.0

    @classmethod
    def forget(cls) -> None:
        """Count growth from now on."""
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew, where the kernel lets it
        cls._start_mb = _held_mb()
        signal.signal(signal.SIGPROF, _stop)

    @classmethod
    def grown_mb(cls) -> float:
        """By how much the process's peak has grown since then."""
        return _held_mb() - cls._start_mb

    def __enter__(self) -> None:
        if not Bounds._start_mb:
            Bounds.forget()
        signal.setitimer(signal.ITIMER_PROF, CPU_S)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        grown = Bounds.grown_mb()
        if grown > GROWTH_MB:
            raise Broken(f"the process grew by {grown:.0f} MB, and its cap is {GROWTH_MB} MB")
