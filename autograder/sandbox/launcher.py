"""The grader's end of the zygote: one prepared interpreter a process, started when first needed."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import IO, Any

import msgpack

from autograder.sandbox import cgroups, scratch

START_S = 120.0  # wall seconds for an interpreter to import torch on a busy machine
GRACE_S = 2.0
PASSED_ON = ("LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "CUDA_VISIBLE_DEVICES")
# importing torch makes a million objects and no garbage: the zygote turns the collector on when it is warm
_PROGRAM = """import gc, sys
gc.disable()
from autograder.sandbox import zygote
zygote.start(int(sys.argv[1]), sys.argv[2])"""


class ZygoteError(Exception):
    """The sandbox itself failed: our fault, never the student's."""


def interpreter(program: str, control: socket.socket, log: IO[bytes], *arguments: str) -> subprocess.Popen[bytes]:
    """Execute a program of the kit's own in a new interpreter with a made environment, at one end of a socket."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    environment |= {
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1"
    }  # a library that asks for a GPU must not start CUDA before a fork
    for library in ("OMP", "OPENBLAS", "MKL"):
        environment[f"{library}_NUM_THREADS"] = "1"
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-c", program, str(control.fileno()), *arguments],
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[control.fileno()],
        start_new_session=True,
    )


def sweep() -> None:
    """Remove what this user's earlier runs have left of which every process was killed at once."""
    for folder in scratch.abandoned():
        remove(folder)


def remove(folder: str) -> None:
    """Remove a zygote's folder and its control groups, and those of a zygote that was started in its place."""
    with contextlib.suppress(OSError):
        for name in [folder, *os.listdir(folder)]:
            if os.path.basename(name).startswith(scratch.PREFIX):
                cgroups.remove(os.path.basename(name))  # first: nobody is left who could write into the folder
    scratch.remove(folder)


def last_words(log: IO[bytes]) -> str:
    """What a log ends with; where its writers go on is left alone."""
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), 2000, max(0, size - 2000)).decode("utf-8", "replace").strip() or "no message"


class Forked:
    """A process that another one has forked, with the methods of Popen that are needed here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._pidfd = -1

    def poll(self) -> int | None:
        """None as long as it lives."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; what it ended with only its parent knows."""
        if self._pidfd >= 0:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return 0

    def kill(self) -> None:
        """SIGKILL, if it still lives."""
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Forget it, whether it lives or not."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


class Zygote:
    """One prepared interpreter; lives as long as the grader's process.

    `trouble` and `simulated` say what it lacks (seccomp, the simulated device); `namespaces_refused` is filled when
    the first worker finds that it can't have any.
    """

    def __init__(self, forked: Forked | None = None, control: socket.socket | None = None, folder: str = "") -> None:
        self.namespaces_refused = ""
        self._loaded: set[str] = set()
        self.process: subprocess.Popen[bytes] | Forked
        self.log: IO[bytes]
        if forked is not None and control is not None:  # the fork server has forked one for this process
            self.process, self.control, self.folder, self.lock = forked, control, folder, -1
            self.log = open(os.dup(2), "rb")  # noqa: SIM115 - closed with the zygote
        else:
            sweep()
            self.folder, self.lock = scratch.make()
            self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the zygote
            self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self.process = interpreter(_PROGRAM, theirs, self.log, self.folder)
        atexit.register(self.close)
        self.control.settimeout(START_S)
        ready = self._answer("start")
        self.trouble = str(ready["trouble"])
        self.simulated = str(ready["simulated"])

    def fork(self, message: dict[str, Any], descriptors: Iterable[int]) -> int:
        """Start one worker; returns its process number."""
        try:
            socket.send_fds(self.control, [msgpack.packb(message)], list(descriptors))
        except OSError as error:
            raise self._failure(f"is gone ({error})") from None
        pid = int(self._answer("start a worker")["pid"])
        if not pid:
            raise ZygoteError(f"a worker could not be started: {self._said()}")
        return pid

    def _answer(self, doing: str) -> dict[str, Any]:
        try:
            data = self.control.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            raise self._failure(f"stopped when asked to {doing}")
        return dict(msgpack.unpackb(data))

    def _failure(self, what: str) -> ZygoteError:
        """The error to raise; the zygote is not used again."""
        said = self._said()
        self.close()
        return ZygoteError(f"the sandbox's interpreter {what}: {said}")

    def _said(self) -> str:
        return last_words(self.log)

    def preload(self, modules: Sequence[str]) -> None:
        """Import modules of installed libraries before the next fork, so that no worker has to."""
        new = [name for name in modules if name not in self._loaded]
        if not new:
            return
        try:
            self.control.send(msgpack.packb({"import": new}))
        except OSError as error:
            raise self._failure(f"is gone ({error})") from None
        trouble = str(self._answer(f"import {', '.join(new)}")["trouble"])
        if trouble:
            raise ZygoteError(f"the sandbox's interpreter can't import what the exercise needs: {trouble}")
        self._loaded.update(new)

    def died(self) -> bool:
        """Whether it has ended; asked when a worker has, since a worker ends with it."""
        try:
            return self.process.wait(0.01) is not None
        except subprocess.TimeoutExpired:
            return False

    def close(self) -> None:
        """End the zygote and every worker it still has."""
        atexit.unregister(self.close)
        self.control.close()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        remove(self.folder)
        lock, self.lock = self.lock, -1  # it is closed again when it was found dead
        if lock >= 0:
            os.close(lock)


_ZYGOTE: list[Zygote] = []


def adopt(control: socket.socket, pid: int, folder: str) -> None:
    """Use the zygote that was forked for this process."""
    _ZYGOTE[:] = [Zygote(Forked(pid), control, folder)]


def end() -> None:
    """End this process's zygote, if it has one."""
    while _ZYGOTE:
        _ZYGOTE.pop().close()


def zygote() -> Zygote:
    """This process's zygote, started when first needed and again when it has died."""
    if _ZYGOTE and _ZYGOTE[0].process.poll() is not None:
        _ZYGOTE.pop().close()
    if not _ZYGOTE:
        _ZYGOTE.append(Zygote())
    return _ZYGOTE[0]
