"""Jobs of the pool's tests: a module that grading processes can import."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from autograder.records import PtqlabError
from autograder.runtime.kit.files import put
from autograder.sandbox import launcher


def double(number: int) -> int:
    return 2 * number


def number_of_process() -> int:
    return os.getpid()


def fails() -> None:
    raise PtqlabError("one clear sentence")


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def gives_what_cannot_be_sent() -> Callable[[], None]:
    return lambda: None


def where() -> tuple[str, str | None, list[str]]:
    return os.getcwd(), os.environ.get("PTQLAB_TEST_TOKEN"), sys.path


def zygote_of_process() -> tuple[int, int, int]:
    found = launcher.zygote().process
    return os.getpid(), os.getppid(), found.pid


def cores() -> tuple[set[int], set[int]]:
    return os.sched_getaffinity(0), os.sched_getaffinity(launcher.zygote().process.pid)


Meeting = tuple[str, int]  # an empty folder, and how many grading processes come there


def meet(meeting: Meeting) -> None:
    """Wait for the others, so that each of them has one of the jobs."""
    folder, count = meeting
    Path(folder, str(os.getpid())).touch()
    while len(os.listdir(folder)) < count:
        time.sleep(0.01)


def cores_of_each(meeting: Meeting) -> set[int]:
    meet(meeting)
    return os.sched_getaffinity(0)


def machine(_: int = 0) -> tuple[int, int]:
    """The grading process, and the process that started the fork server it was forked by."""
    return os.getpid(), _parent(os.getppid())


def makes_files() -> str:
    """What the kit makes for a test of the grader's own, and what a library leaves; returns a folder of it."""
    (Path(tempfile.mkdtemp()) / "left.onnx").write_text("a library's")
    folder = put({"model.onnx": torch.zeros(3, dtype=torch.uint8)})
    subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"], check=True)
    return folder


def kills_whoever_asked() -> None:
    os.kill(_parent(os.getppid()), signal.SIGKILL)
    time.sleep(60)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def is_imported(name: str) -> bool:
    """Whether a module is there without anybody asking for it now."""
    return name in sys.modules


class Kept:
    """Something to look for among the objects that are still there."""

    def __init__(self) -> None:
        self.itself = self


def keep_much() -> int:
    """Leave a cycle, and one where pytest leaves a test's last exception; returns how many there are."""
    for _ in range(2):
        Kept()
    sys.last_value = RuntimeError(Kept())
    gc.collect(0)  # what it meets twice it rarely looks at again
    gc.collect(1)
    return count_kept()


def count_kept() -> int:
    return sum(type(thing) is Kept for thing in gc.get_objects())


_KEPT: list[bytes] = []


def keep_megabytes(count: int) -> int:
    """Keep so much for good; returns which process does."""
    _KEPT.append(b"x" * (count << 20))
    return os.getpid()
