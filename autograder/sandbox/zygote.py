"""The prepared interpreter from which workers are forked: torch is imported once, and no secret ever is.

Run as a program of its own with an empty environment; descriptor 3 is the control socket. One message in,
with the worker's two pipe ends attached, starts one worker; one message out says its process number.
When the grader goes away the socket closes, and zygote and workers end with it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
from typing import Any, NoReturn

import msgpack
import numpy as np
import torch

from autograder import refusals, simulated
from autograder.sandbox import guest, jail, kernel, probes, syscalls

CONTROL = 3


def main() -> None:
    """Warm up, say READY, fork workers on request."""
    control = socket.socket(fileno=CONTROL)
    bpf, trouble = _compile_filter()
    _warm_up()
    control.send(msgpack.packb({"ready": True, "trouble": trouble, "simulated": simulated.unavailable_reason()}))
    children: set[int] = set()
    signal.signal(signal.SIGCHLD, lambda *_: _reap(children))
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not data:
            break
        message = msgpack.unpackb(data)
        pid = _start(message, descriptors, bpf, children)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(msgpack.packb({"pid": pid}))
    for child in list(children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _compile_filter() -> tuple[bytes, str]:
    try:
        return syscalls.compile_filter(), ""
    except (ImportError, OSError, RuntimeError) as error:
        return b"", f"seccomp is not available ({error}); install libseccomp (Debian: apt install libseccomp2) and pyseccomp"


def _warm_up() -> None:
    """Do now what would be slow or forbidden later, on one thread: a forked child has no other threads."""
    torch.set_num_threads(1)
    refusals.install()
    x = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    (torch.softmax(x @ x, -1).double().sum() + float(np.linalg.norm(x.numpy()))).item()
    if simulated.available():
        with simulated.session():
            (simulated.to_device(x) * 2).amax().item()
    threads = os.listdir("/proc/self/task")
    if len(threads) != 1:
        raise SystemExit(f"the zygote has {len(threads)} threads; a fork would lose all but one")
    gc.collect()
    gc.freeze()


def _reap(children: set[int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            children.discard(pid)


def _start(message: dict[str, Any], descriptors: list[int], bpf: bytes, children: set[int]) -> int:
    """Fork one worker; returns the number of the process that will run the student's code (0: it failed)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        _child(message, descriptors, bpf, tell)
    children.add(child)
    os.close(tell)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    number = os.read(told, 16)
    os.close(told)
    return int(number or 0)


def _child(message: dict[str, Any], descriptors: list[int], bpf: bytes, tell: int) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    plan = jail.Plan(**message["plan"])
    number, trouble = os.getpid(), ""
    if "namespaces" in plan.layers:
        trouble = jail.new_namespaces(plan)
        if not trouble:
            inner = os.fork()  # the first process of the new process namespace
            if inner:
                os.write(tell, str(inner).encode())
                jail.close_descriptors(())
                os.waitpid(inner, 0)
                os._exit(0)
    if trouble or "namespaces" not in plan.layers:
        os.write(tell, str(number).encode())
    os.close(tell)
    _become_worker(message, plan, descriptors, bpf, number, trouble)


def _become_worker(
    message: dict[str, Any], plan: jail.Plan, descriptors: list[int], bpf: bytes, number: int, trouble: str
) -> NoReturn:
    incoming, outgoing = descriptors
    hello: dict[str, Any] = {"reached": [], "trouble": trouble, "held": {}}
    try:
        jail.close_descriptors((incoming, outgoing))
        namespaced = "namespaces" in plan.layers and not trouble
        hello["reached"] = jail.enter(plan, bpf, namespaced, number)
        hello["held"] = probes.attempt(message["secrets"], plan.memory_mb, message["foreign"], message["host"])
    except Exception as error:
        hello["trouble"] = f"{type(error).__name__}: {error}"
        guest.send(outgoing, hello)
        os._exit(1)
    os.environ.update(HOME=os.getcwd(), TMPDIR=os.getcwd())
    torch.manual_seed(0)
    try:
        guest.serve(incoming, outgoing, hello)
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.setrecursionlimit(1000)
    main()
