"""One interpreter that imports torch for a whole command, and forks what grades.

    ptqlab ──starts──▶ forkserver ──forks──▶ grading process: holds the tests, and asks its zygote for workers
                             └──────forks──▶ zygote of that grading process: forks the jailed workers

Importing torch costs two CPU seconds, a fork some milliseconds. Like a zygote the forkserver is executed separately,
with a made environment, and no test, solution or seed ever comes into its memory: a grading process is told what it has
to know after the fork, through a pipe of its own. When the process that started the forkserver ends, all of them end.
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
END_S = 10.0  # for grading processes to notice that they are not needed any more
_PROGRAM = """import gc, sys
gc.disable()
from autograder.pool import forkserver_main
forkserver_main.start(int(sys.argv[1]), sys.argv[2:])"""


class ForkServer:
    """The command's end: `fork` starts a grading process, with a zygote of its own.

    `preload` names modules of libraries that the exercises use: imported here once, they are there in every fork.
    """

    def __init__(self, preload: Iterable[str] = ()) -> None:
        # the forkserver sweeps the kit's temporary folder, and this process its user's, which may be another one
        launcher.sweep()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the forkserver
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process: subprocess.Popen[bytes] = launcher.interpreter(_PROGRAM, theirs, self.log, *preload)
        self.control.settimeout(START_S)
        self._answer("start")

    def fork(self, jobs: socket.socket, core: int | None = None) -> int:
        """Start a grading process that takes jobs from `jobs`, pinned to one core; return its number."""
        try:
            socket.send_fds(self.control, [msgpack.packb({"core": core})], [jobs.fileno()])
        except OSError as error:
            raise launcher.ZygoteError(f"the grader's own interpreter is gone ({error}): {self.last_words()}") from None
        return int(self._answer("start a grading process")["pid"])

    def _answer(self, doing: str) -> dict[str, Any]:
        data = b""
        with contextlib.suppress(OSError):
            data = self.control.recv(1 << 16)
        if not data:
            raise launcher.ZygoteError(
                f"the grader's own interpreter stopped when asked to {doing}: {self.last_words()}"
            )
        return dict(msgpack.unpackb(data))

    def last_words(self) -> str:
        """Return the end of what the forkserver and its grading processes printed."""
        return launcher.last_words(self.log)

    def close(self) -> None:
        """End the forkserver, once its grading processes have ended."""
        self.control.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
