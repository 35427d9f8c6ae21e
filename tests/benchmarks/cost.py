"""What a command costs: CPU seconds of itself and everything it started, and wall seconds."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
LINGER_S = 20.0  # for what a command leaves running; kernels and workers end within a second


@dataclass(frozen=True)
class Cost:
    """CPU (user and system) and wall seconds."""

    cpu_s: float
    wall_s: float

    def __truediv__(self, submissions: int) -> Cost:
        return Cost(self.cpu_s / submissions, self.wall_s / submissions)


def adopt_orphans() -> None:
    """Make every process that a command leaves behind a child of this one, so that its CPU time is counted."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise SystemExit(f"expected prctl to make this process a subreaper: {os.strerror(ctypes.get_errno())}")


def run(
    command: Sequence[object], folder: Path, environment: Mapping[str, str], *, accepted: tuple[int, ...] = (0,)
) -> tuple[Cost, str]:
    """Run a command to its end; returns its cost and its output. Another exit code ends the benchmark."""
    before, start = _children_cpu_s(), time.perf_counter()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wall_s = time.perf_counter() - start
    _reap_orphans()
    if done.returncode not in accepted:
        told = " ".join(map(str, command))
        raise SystemExit(f"expected exit code {accepted[0]}, got {done.returncode} from: {told}\n{done.stdout[-3000:]}")
    return Cost(_children_cpu_s() - before, wall_s), done.stdout


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap_orphans() -> None:
    """Wait for what the command left behind: only an ended and awaited process is counted."""
    deadline = time.monotonic() + LINGER_S
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.02)
    raise SystemExit(f"expected every process of the command to end within {LINGER_S:g} s of it; one still runs")
