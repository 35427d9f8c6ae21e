"""Inside the forkserver: import torch once, then fork grading processes and their zygotes on request."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

import msgpack

from autograder.pool import grader_main
from autograder.sandbox import launcher, scratch


def start(control: int, preload: Iterable[str] = ()) -> None:
    """Import torch and the rest, warm up, say READY, fork on request; at the end wait for all who were forked."""
    from autograder.sandbox import zygote  # noqa: PLC0415 - imports torch

    asked = socket.socket(fileno=control)
    launcher.sweep()
    zygote.prepare()
    for name in preload:
        with contextlib.suppress(ImportError):  # whoever needs it will say so: other exercises don't
            importlib.import_module(name)
    zygote.freeze_heap()
    asked.send(msgpack.packb({"ready": True}))
    graders: set[int] = set()
    folders: list[str] = []  # of their zygotes, and for files of their own
    signal.signal(signal.SIGCHLD, lambda *_: _reap(graders, os.WNOHANG))
    while True:
        data, descriptors, _, _ = socket.recv_fds(asked, 1 << 16, 2)
        if not data:
            break
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        (folder, held), (own, own_held) = scratch.make(), scratch.make()
        folders += [folder, own]
        descriptors += [held, own_held]  # from now on held by those who are forked
        pid = _fork(msgpack.unpackb(data)["core"], descriptors, folder, own)
        graders.add(pid)  # before it can be reaped: a number of one that has ended may be another's
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for descriptor in descriptors:
            os.close(descriptor)
        asked.send(msgpack.packb({"pid": pid}))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in list(graders):  # nobody waits for what they still do; their zygotes notice, and clean up
        os.kill(pid, signal.SIGKILL)
    _reap(graders, 0)
    for folder in folders:  # gone already, but where a zygote or its grading process was killed
        launcher.remove(folder)
    os._exit(0)  # torch would take half a CPU second to take itself apart


def _reap(graders: set[int], options: int) -> None:
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, options)[0]) != 0:
            graders.discard(pid)


def _fork(core: int | None, descriptors: Sequence[int], folder: str, own: str) -> int:
    """A zygote and the grading process that it is for; returns the number of the latter."""
    from autograder.sandbox import zygote  # noqa: PLC0415

    jobs, shared, *held = descriptors
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        child = _child(core, (theirs.fileno(), *held), lambda: zygote.start(theirs.fileno(), folder))
        return _child(core, (*descriptors, ours.fileno()), lambda: _grade(jobs, shared, ours, child, folder, own))


def _grade(jobs: int, shared: int, control: socket.socket, pid: int, folder: str, own: str) -> None:
    from autograder.pool import shared_log  # noqa: PLC0415

    shared_log.use(shared)
    grader_main.serve(socket.socket(fileno=jobs), lambda: launcher.adopt(control, pid, folder), own)


def _child(core: int | None, keep: tuple[int, ...], run: Callable[[], None]) -> int:
    """Fork a process that has these descriptors, the log and nothing else, and that never returns."""
    child = os.fork()
    if child:
        return child
    _run_alone(core, keep, run)


def _run_alone(core: int | None, keep: tuple[int, ...], run: Callable[[], None]) -> NoReturn:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        low = 3
        for descriptor in (*sorted(keep), 1 << 16):
            os.closerange(low, descriptor)
            low = descriptor + 1
        if core is not None:
            with contextlib.suppress(OSError):  # that core was taken from us meanwhile: any other will do
                os.sched_setaffinity(0, {core})
        run()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
