"""The prepared interpreter from which workers are forked: torch is imported once, and no secret ever is.

Run as a program of its own with an empty environment: `start(control, folder)` with the descriptor of the control
socket and the folder for scratch. One message in, with the worker's two pipe ends attached, starts one worker; one
message out says its process number. When the grader goes away the socket closes; workers and scratch end with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import socket
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import msgpack
import numpy as np
import torch

from autograder.runtime import blocked_apis
from autograder.runtime.simulated import device as simulated
from autograder.sandbox import cgroups, jail, kernel, probes, scratch, syscalls, worker_main

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
Children = dict[int, int]
"""Each forked process, and a pidfd of the one that runs the student's code: itself, or its child in namespaces."""
SECCOMP_CURE: dict[type[Exception], str] = {
    ImportError: "install pyseccomp: pip install 'ptqlab[grade]'",
    RuntimeError: "install libseccomp: apt-get install libseccomp2, dnf install libseccomp, or apk add libseccomp",
    OSError: "libseccomp refuses the filter; version 2.5 or newer is needed",
}


def start(control: int, folder: str) -> None:
    """Warm up, say READY, fork workers on request; at the end leave nothing behind."""
    children: Children = {}
    group = cgroups.Group(os.path.basename(folder))
    try:
        _serve(socket.socket(fileno=control), children, group)
    finally:
        _end(children, folder)
        group.leave()
    os._exit(0)  # torch would take half a CPU second to take itself apart


def _serve(control: socket.socket, children: Children, group: cgroups.Group) -> None:
    trouble = prepare()
    _keep_freed_memory()
    blocked_apis.install()
    freeze_heap()
    signal.signal(signal.SIGCHLD, lambda *_: _reap(children))
    control.send(msgpack.packb({"ready": True, "trouble": trouble, "simulated": simulated.unavailable_reason()}))
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not data:
            return
        message = msgpack.unpackb(data)
        if "import" in message:
            control.send(msgpack.packb({"trouble": _import(message["import"])}))
            continue
        pid = _start(message, descriptors, children, group)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(msgpack.packb({"pid": pid}))


def _end(children: Children, folder: str) -> None:
    """A worker in namespaces is killed itself, and waited for by waiting for its parent: alone it could go on for a
    moment.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for child, worker in children.items():
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, signal.SIGKILL) if worker >= 0 else os.kill(child, signal.SIGKILL)
    for child in children:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
    scratch.remove(folder)


@cache
def prepare() -> str:
    """Everything warm that a worker needs, once, before forks; returns why there is no filter for system calls."""
    _warm_up()
    return _filter(False)[1]


@cache
def _filter(cuda: bool) -> tuple[bytes, str]:
    """The filter for system calls, or why there is none."""
    try:
        return syscalls.compile_filter(cuda), ""
    except tuple(SECCOMP_CURE) as error:
        cure = next(words for kind, words in SECCOMP_CURE.items() if isinstance(error, kind))
        return b"", f"seccomp is not available ({error}); {cure}"


def _warm_up() -> None:
    """Do now what would be slow or forbidden later, on one thread: a forked child has no other threads."""
    torch.set_num_threads(1)
    x = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    (torch.softmax(x @ x, -1).double().sum() + float(np.linalg.norm(x.numpy()))).item()
    if simulated.available():
        with simulated.session():
            (simulated.to_device(x) * 2).amax().item()


def _keep_freed_memory() -> None:
    """Blocks up to 32 MB stay with the worker when they are freed, up to 256 MB: the kernel would clear them anew
    each time.
    """
    with contextlib.suppress(AttributeError):  # another libc than glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 256 << 20)


def _import(names: list[str]) -> str:
    """Import an exercise's libraries; empty when done, else why not."""
    gc.disable()
    try:
        for name in names:
            importlib.import_module(name)
    except ImportError as error:
        return str(error)
    freeze_heap()
    return ""


def freeze_heap() -> None:
    """Ready to fork: one thread, and a heap that the collector leaves alone, so that its pages stay shared."""
    threads = os.listdir("/proc/self/task")
    if len(threads) != 1:
        raise SystemExit(f"the zygote has {len(threads)} threads; a fork would lose all but one")
    gc.collect()
    gc.freeze()
    gc.enable()


def _reap(children: Children) -> None:
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            if (worker := children.pop(pid, -1)) >= 0:
                os.close(worker)


def _start(message: dict[str, Any], descriptors: list[int], children: Children, group: cgroups.Group) -> int:
    """Fork one worker; returns the number of the process that will run the student's code (0: it failed)."""
    group.limit(
        message["plan"]["memory_mb"] + message["plan"]["scratch_mb"] + message["plan"]["cuda"] * jail.CUDA_HOST_MB
    )
    bpf = _filter(message["plan"]["cuda"])[0]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    number_out, number_in = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(number_out)
        _child(message, descriptors, bpf, number_in, group.words)
    children[child] = -1
    os.close(number_in)
    number = int(os.read(number_out, 16) or 0)
    os.close(number_out)
    with contextlib.suppress(ProcessLookupError):
        children[child] = os.pidfd_open(number) if number else -1
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    return number


def _child(message: dict[str, Any], descriptors: list[int], bpf: bytes, number_in: int, group: list[str]) -> NoReturn:
    """The forked process; in namespaces it only waits for the worker, the first process of its own process
    namespace.
    """
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")  # memory runs out: the worker goes, not the grader
        plan, number = jail.JailSpec(**message["plan"]), os.getpid()
        namespaced = "namespaces" in plan.layers
        refused = jail.new_namespaces(plan) if namespaced else ""
        inner = os.fork() if namespaced and not refused else 0
        if inner:
            os.write(number_in, str(inner).encode())
            jail.close_descriptors(())
            os.waitpid(inner, 0)
            os._exit(0)
        if refused or not namespaced:
            os.write(number_in, str(number).encode())
        hello = {"reached": [*group], "namespaces": refused, "trouble": "", "held": {}, "cuda": ""}
        _become_worker(message, plan, descriptors, bpf, number, hello)
    except BaseException:
        traceback.print_exc()  # into the zygote's log, as long as the streams lead there
    finally:
        os._exit(1)


def _start_cuda() -> str:
    """Use the GPU once, before the student's code does; returns why that can't be done in here."""
    try:
        torch.ones(1, device="cuda").add_(1).item()
        share = (jail.CUDA_MB << 20) / torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, share))
    except Exception as error:
        return (
            f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else 'no reason'}"
        )
    return ""


def _become_worker(
    message: dict[str, Any], plan: jail.JailSpec, descriptors: list[int], bpf: bytes, number: int, hello: dict[str, Any]
) -> None:
    jail.close_descriptors(tuple(descriptors))
    incoming, outgoing = descriptors
    if not hello["namespaces"]:
        try:
            hello["reached"] += jail.enter(plan, bpf, "namespaces" in plan.layers, number)
            memory_mb = plan.memory_mb + (jail.CUDA_HOST_MB if plan.cuda else 0)
            hello["held"] = probes.attempt(message["secrets"], memory_mb, message["foreign"], message["grader"])
            hello["cuda"] = _start_cuda() if plan.cuda else ""
        except jail.NamespacesRefusedError as error:
            hello["namespaces"] = str(error)
        except Exception as error:
            hello["trouble"] = f"{type(error).__name__}: {error}"
    if hello["namespaces"] or hello["trouble"]:
        worker_main.send(outgoing, hello)
        os.read(incoming, 1)  # until the grader has read it and hung up: a process that is gone can't be asked
        return
    message.clear()
    os.environ.update(HOME=os.getcwd(), TMPDIR=os.getcwd(), TORCHINDUCTOR_CACHE_DIR=os.getcwd())  # torch.onnx.export
    tempfile.tempdir = None  # the zygote has looked for it already, and found another
    torch.manual_seed(0)
    worker_main.serve(incoming, outgoing, hello)
