"""Inside the forkserver: import torch once, then fork grading processes and their zygotes on request."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NoReturn

import msgpack

from autograder.pool import grader_main
from autograder.sandbox import launcher, scratch


def start(control: int, preload: Iterable[str] = ()) -> None:
    """Import torch and the rest, warm up, report READY, fork on request; at the end wait for every forked process."""
    from autograder.sandbox import zygote  # noqa: PLC0415 - imports torch

    requests = socket.socket(fileno=control)
    launcher.sweep()
    zygote.prepare()
    for name in preload:
        with contextlib.suppress(ImportError):  # the exercise that needs it will say so: other exercises don't
            importlib.import_module(name)
    zygote.freeze_heap()
    requests.send(msgpack.packb({"ready": True}))
    graders: set[int] = set()
    folders: list[str] = []  # of zygotes, and of grading processes for temporary files
    signal.signal(signal.SIGCHLD, lambda *_: _reap(graders, os.WNOHANG))
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, 1 << 16, 1)
        if not data:
            break
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        (zygote_folder, zygote_lock), (grader_folder, grader_lock) = scratch.make(), scratch.make()
        folders += [zygote_folder, grader_folder]
        descriptors += [zygote_lock, grader_lock]  # from now on held by the processes that are forked
        pid = _fork(msgpack.unpackb(data)["core"], descriptors, zygote_folder, grader_folder)
        graders.add(pid)  # before it can be reaped: the number of an ended process may be another's
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(msgpack.packb({"pid": pid}))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in list(graders):  # nobody waits for their jobs; their zygotes notice, and clean up
        os.kill(pid, signal.SIGKILL)
    _reap(graders, 0)
    for folder in folders:  # still there only where a zygote or its grading process was killed
        launcher.remove(folder)
    os._exit(0)  # torch would take half a CPU second to take itself apart


def _reap(graders: set[int], options: int) -> None:
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, options)[0]) != 0:
            graders.discard(pid)


def _fork(core: int | None, descriptors: Sequence[int], zygote_folder: str, grader_folder: str) -> int:
    """Fork a zygote and the grading process that it is for; return the number of the latter."""
    from autograder.sandbox import zygote  # noqa: PLC0415

    jobs, *locks = descriptors
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def grade() -> None:
        use_zygote = partial(launcher.adopt, ours, zygote_pid, zygote_folder)
        grader_main.serve(socket.socket(fileno=jobs), use_zygote, grader_folder)

    with ours, theirs:
        zygote_pid = _child(core, (theirs.fileno(), *locks), lambda: zygote.start(theirs.fileno(), zygote_folder))
        return _child(core, (*descriptors, ours.fileno()), grade)


def _child(core: int | None, keep: tuple[int, ...], run: Callable[[], None]) -> int:
    """Fork a process that never returns, with these descriptors, the log and no others; return its number."""
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
            with contextlib.suppress(OSError):  # that core was taken away meanwhile: any other will do
                os.sched_setaffinity(0, {core})
        run()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
