"""The trusted end: starts the zygote, asks it for workers, and believes nothing that a worker says.

`Worker` is the endpoint that a `Student` talks to. It is started when it is first needed, killed at the first
breach (too slow, too long, malformed, unasked), and started again for the next call.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import msgpack

from autograder.model import Limits, PtqlabError
from autograder.sandbox import guest, jail, probes, wire
from autograder.student import Crashed, TimedOut

START_S = 120.0  # wall seconds for an interpreter to import torch on a busy machine
HELLO_S = 60.0
WALL_FACTOR = 10.0  # a sleeper uses no CPU time: the wall clock stops it
GRACE_S = 2.0
PASSED_ON = ("LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
FACTS = {"mutated", "syncs", "device_ops", "moved_elements", "refused"}
FAILURE = {"kind", "builtin", "type", "text", "where"}
KINDS = {"raised", "missing", "undefined", "refused"}


class IsolationError(PtqlabError):
    """This machine does not hold the isolation floor; nothing is graded."""


@dataclass(frozen=True)
class Walls:
    """What a worker must not reach: paths it may not read, folders it may not write in; layers to apply."""

    secrets: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ("/tmp", "/var/tmp", "/dev/shm", str(Path(__file__).parent))
    layers: tuple[str, ...] = jail.LAYERS
    required: bool = True  # False: --isolation=none


class Zygote:
    """One prepared interpreter; lives as long as the grader's process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = ours
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the zygote
        self.process = self._spawn(theirs)
        theirs.close()
        ours.settimeout(START_S)
        ready = self._answer("start")
        self.trouble = str(ready["trouble"])
        self.simulated = str(ready["simulated"])
        atexit.register(self.close)

    def _spawn(self, control: socket.socket) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
        for library in ("OMP", "OPENBLAS", "MKL"):
            environment[f"{library}_NUM_THREADS"] = "1"
        # descriptor 3 by a dup2 in the child's own shell-free start: pass_fds keeps the number, so put it there
        program = "import os,sys; os.dup2(int(sys.argv[1]), 3); from autograder.sandbox import zygote; zygote.main()"
        return subprocess.Popen(
            [sys.executable, "-s", "-P", "-c", program, str(control.fileno())],
            env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            pass_fds=[control.fileno()], start_new_session=True,
        )  # fmt: skip

    def _answer(self, doing: str) -> dict[str, Any]:
        try:
            data = self.control.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.log.seek(0)
            said = self.log.read()[-2000:].decode("utf-8", "replace")
            raise ZygoteError(f"the sandbox's interpreter stopped when asked to {doing}: {said.strip() or 'no message'}")
        return dict(msgpack.unpackb(data))

    def fork(self, message: dict[str, Any], descriptors: Iterable[int]) -> int:
        """Start one worker; returns its process number."""
        try:
            socket.send_fds(self.control, [msgpack.packb(message)], list(descriptors))
        except OSError as error:
            raise ZygoteError(f"the sandbox's interpreter is gone ({error})") from None
        return int(self._answer("start a worker")["pid"])

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


class ZygoteError(Exception):
    """The sandbox itself failed: our fault, never the student's."""


_ZYGOTE: list[Zygote] = []


def zygote() -> Zygote:
    """This process's zygote, started when first needed and again when it has died."""
    if _ZYGOTE and _ZYGOTE[0].process.poll() is not None:
        _ZYGOTE.pop().close()
    if not _ZYGOTE:
        _ZYGOTE.append(Zygote())
    return _ZYGOTE[0]


class Worker:
    """One submission's code, jailed. `run` answers requests; a breach kills the worker and is the call's outcome."""

    def __init__(self, source: str, limits: Limits, walls: Walls | None = None) -> None:
        self.source, self.limits, self.walls = source, limits, walls or Walls()
        self.problems: tuple[str, ...] = ()
        self.isolation = ""
        self.used_s = 0.0  # CPU seconds of workers that have ended
        self._stops: Counter[str] = Counter()  # timeouts by function
        self._unloadable: Exception | None = None
        self._process: _Process | None = None
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; raises TimedOut or Crashed when the worker does not."""
        name = f"{request['target'] or ''}{request['name']}"
        if self._stops[name] >= 2:
            raise TimedOut("not called again: it ran out of time twice before")
        self._start()
        try:
            reply = self._exchange(request)
        except TimedOut:
            self._stops[name] += 1
            raise
        return _checked(reply)

    def start(self) -> None:
        """Start the worker now, to see what isolation it reaches and whether the submission loads."""
        with contextlib.suppress(TimedOut, Crashed):
            self._start()

    def _start(self) -> None:
        if self._unloadable is not None:
            raise self._unloadable
        if self._process is not None:
            return
        self._process = _Process(self.limits, self.walls)
        self.isolation = self._process.isolation
        try:
            reply = self._exchange({"op": "load", "source": self.source})
        except (TimedOut, Crashed) as error:
            kind = type(error)
            self._unloadable = kind(f"running the notebook's own statements: {error}")
            raise self._unloadable from None
        problems = reply.get("problems")
        if type(problems) is not list or not all(type(p) is str for p in problems):
            self._kill()
            raise Crashed("the worker broke the protocol")
        self.problems = tuple(problems)

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        left_s = self.limits.submission_cpu_s - self.used_s - process.cpu_s()
        if left_s <= 0:
            self._kill()
            raise TimedOut(f"the submission has used its {self.limits.submission_cpu_s:g} CPU seconds")
        self._sent += 1
        try:
            reply = process.exchange(request | {"id": self._sent}, min(self.limits.call_cpu_s, left_s))
        except BaseException:
            self._kill()
            raise
        if type(reply) is not dict or reply.get("id") != self._sent:
            self._kill()
            raise Crashed("the worker answered something that was not asked")
        return reply

    def _kill(self) -> None:
        if self._process is not None:
            self.used_s += self._process.kill()
            self._process = None


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply, if it has exactly the form that session.py gives it; raises Crashed otherwise."""
    facts, failure = reply.get("facts"), reply.get("failure")
    counts = ("syncs", "device_ops", "moved_elements")
    good = (
        reply.keys() == {"id", "value", "failure", "facts"}
        and type(facts) is dict
        and facts.keys() == FACTS
        and all(type(facts[name]) is int and facts[name] >= 0 for name in counts)
        and all(type(facts[k]) is tuple and all(type(t) is str for t in facts[k]) for k in ("mutated", "refused"))
        and (failure is None or _is_failure(failure))
    )
    if not good:
        raise Crashed("the worker broke the protocol")
    return reply


def _is_failure(failure: object) -> bool:
    return (
        type(failure) is dict
        and failure.keys() == FAILURE
        and all(type(text) is str for text in failure.values())
        and failure["kind"] in KINDS
    )


class _Process:
    """One running worker: its pipes, its clock, and its end."""

    def __init__(self, limits: Limits, walls: Walls) -> None:
        self.limits = limits
        self.scratch = tempfile.mkdtemp(prefix="ptqlab-")
        their_in, self.to_worker = os.pipe()
        self.from_worker, their_out = os.pipe()
        try:
            message = self._message(walls)
            self.pid = zygote().fork(message, (their_in, their_out))
            os.close(their_in)
            os.close(their_out)
            self.pidfd = os.pidfd_open(self.pid)
        except OSError as error:
            raise ZygoteError(f"a worker could not be started: {error}") from None
        os.set_blocking(self.to_worker, False)
        os.set_blocking(self.from_worker, False)
        self.isolation = self._greet(walls)

    def _message(self, walls: Walls) -> dict[str, Any]:
        package = Path(__file__).resolve().parent.parent
        plan = jail.Plan(
            layers=walls.layers, readable=jail.library_trees(package), scratch=self.scratch,
            memory_mb=self.limits.memory_mb, scratch_mb=self.limits.scratch_mb,
            cpu_s=int(self.limits.submission_cpu_s + GRACE_S) + 1,
        )  # fmt: skip
        return {"plan": asdict(plan), "secrets": walls.secrets, "foreign": walls.foreign, "host": os.getpid()}

    def _greet(self, walls: Walls) -> str:
        """Read what isolation the worker found; refuse to go on below the floor."""
        try:
            hello = self._receive(time.monotonic() + HELLO_S, None)
        except (TimedOut, Crashed) as error:
            raise ZygoteError(f"a worker did not start: {error}") from None
        open_items = [item for item in probes.FLOOR if hello["held"].get(item) is not True]
        if walls.required and open_items:
            self.kill()
            missing = ", ".join(probes.IN_WORDS[item] for item in open_items)
            trouble = "; ".join(t for t in (hello["trouble"], zygote().trouble) if t)
            raise IsolationError(
                f"grading needs isolation that this machine does not give: {missing}"
                f"{f' ({trouble})' if trouble else ''}. Run `ptqlab doctor` to see why, or accept the risk with --isolation=none."
            )
        return ", ".join(hello["reached"]) if walls.required else "none"

    def cpu_s(self) -> float:
        """CPU seconds of all the worker's threads so far."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # clock_getcpuclockid(3)
        except OSError:
            return 0.0

    def exchange(self, request: dict[str, Any], cpu_s: float) -> Any:
        """Send one request and read its reply within `cpu_s` CPU seconds."""
        if select.select([self.from_worker], [], [], 0)[0]:
            raise Crashed("the worker died, or sent what nobody asked for, between two calls")
        deadline = time.monotonic() + cpu_s * WALL_FACTOR
        stop = self.cpu_s() + cpu_s
        for chunk in wire.encode(request, guest.unwrap):
            view = memoryview(chunk)
            while view:
                self._wait(self.to_worker, select.POLLOUT, deadline, stop)
                try:
                    view = view[os.write(self.to_worker, view[: 1 << 20]) :]
                except BrokenPipeError:
                    raise Crashed(self._epitaph()) from None
        return self._receive(deadline, stop)

    def _receive(self, deadline: float, stop: float | None) -> Any:
        header_size, body_size = wire.PREFIX.unpack(self._read(wire.PREFIX.size, deadline, stop))
        if header_size > wire.MAX_HEADER or body_size > self.limits.reply_mb << 20:
            raise Crashed(f"it returned more than {self.limits.reply_mb} MB")
        header = bytes(self._read(header_size, deadline, stop))
        body = self._read(body_size, deadline, stop)
        try:
            return wire.decode(header, body, guest.wrap)
        except wire.WireError as error:
            raise Crashed(f"the worker broke the protocol: {error}") from None

    def _read(self, size: int, deadline: float, stop: float | None) -> bytearray:
        data = bytearray()
        while len(data) < size:
            self._wait(self.from_worker, select.POLLIN, deadline, stop)
            chunk = os.read(self.from_worker, min(size - len(data), 1 << 20))
            if not chunk:
                raise Crashed(self._epitaph())
            data += chunk
        return data

    def _wait(self, descriptor: int, event: int, deadline: float, stop: float | None) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        while not poll.poll(100):
            if stop is not None and self.cpu_s() > stop:
                raise TimedOut("it used more CPU time than a right answer ever needs; is there an endless loop?")
            if time.monotonic() > deadline:
                raise TimedOut("it did not answer in time; does it sleep or wait for something?")

    def _epitaph(self) -> str:
        return "the code ended the worker process (a crash, os._exit, or out of memory)"

    def kill(self) -> float:
        """End the worker and everything it had; returns the CPU seconds it used."""
        used = self.cpu_s()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        select.select([self.pidfd], [], [], GRACE_S * 5)
        for descriptor in (self.to_worker, self.from_worker, self.pidfd):
            os.close(descriptor)
        shutil.rmtree(self.scratch, ignore_errors=True)
        return used
