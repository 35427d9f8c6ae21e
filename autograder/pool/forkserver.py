"""One interpreter that imports torch for a whole command, and forks what grades.

    ptqlab ──starts──▶ nursery ──forks──▶ grading process: holds the tests, and asks its zygote for workers
                          └──────forks──▶ zygote of that grading process: forks the jailed workers

Importing torch costs two CPU seconds, a fork some milliseconds. Like a zygote it is executed separately, with a made
environment, and no test, solution or seed ever comes into its memory: what a grading process has to know, that
process is told itself, after the fork. When whoever started the nursery goes away, all of them end.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from typing import Any

import msgpack

from autograder.sandbox import launcher

START_S = launcher.START_S
END_S = 10.0  # for grading processes to notice that nobody needs them any more
_PROGRAM = """import gc, sys
gc.disable()
from autograder.pool import forkserver_main
forkserver_main.start(int(sys.argv[1]), sys.argv[2:])"""


class ForkServer:
    """The starting end: `fork` gives a new grading process, with a zygote of its own.

    `preload` names modules of libraries that the exercises use: imported here, they are there in all that is forked.
    """

    def __init__(self, preload: Iterable[str] = ()) -> None:
        # here, too: the nursery looks where the kit has its folders, this process where its user has them
        launcher.sweep()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the nursery
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process: subprocess.Popen[bytes] = launcher.interpreter(_PROGRAM, theirs, self.log, *preload)
        self.control.settimeout(START_S)
        self._answer("start")

    def fork(self, jobs: socket.socket, shared: int, core: int | None = None) -> int:
        """Start a grading process that is spoken to through `jobs`, bound to one core; returns its number.

        `shared` is the descriptor of the file through which grading processes speak to each other.
        """
        try:
            socket.send_fds(self.control, [msgpack.packb({"core": core})], [jobs.fileno(), shared])
        except OSError as error:
            raise launcher.ZygoteError(f"the grader's own interpreter is gone ({error}): {self.said()}") from None
        return int(self._answer("start a grading process")["pid"])

    def _answer(self, doing: str) -> dict[str, Any]:
        data = b""
        with contextlib.suppress(OSError):
            data = self.control.recv(1 << 16)
        if not data:
            raise launcher.ZygoteError(f"the grader's own interpreter stopped when asked to {doing}: {self.said()}")
        return dict(msgpack.unpackb(data))

    def said(self) -> str:
        """The end of what it and its grading processes printed."""
        return launcher.last_words(self.log)

    def close(self) -> None:
        """End it, once its grading processes have ended."""
        self.control.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


# --- in the nursery itself ----------------------------------------------------------------------------------------
