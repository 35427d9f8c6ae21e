"""Each item of the isolation floor, attempted in the worker before student code: refused, or not.

A probe answers True when the act was refused. The grader believes only True, item by item.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

FLOOR = ("network", "local sockets", "secrets", "foreign files", "processes", "programs", "signals", "memory", "cpu")
IN_WORDS = {
    "network": "no network",
    "local sockets": "no sockets of other programs",
    "secrets": "no read of solutions or other submissions",
    "foreign files": "no write outside its scratch",
    "processes": "no new processes",
    "programs": "no other programs",
    "signals": "no signals to other processes",
    "memory": "a memory limit",
    "cpu": "a CPU time limit",
}


def attempt(secrets: list[str], memory_mb: int, writable: list[str], grader: int) -> dict[str, bool]:
    """Try every item; `secrets` are paths that must not be readable, `writable` ones that must not take a file."""
    probes: dict[str, Callable[[], object]] = {
        "network": _connect,
        "local sockets": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close(),
        "processes": _fork,
        "programs": _execute,
        "signals": lambda: os.kill(grader, 0),
        "memory": lambda: mmap.mmap(-1, (memory_mb + 64) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close(),
        "cpu": _cpu_is_unlimited,
    }
    refused = {item: _refused(act) for item, act in probes.items()}
    refused["secrets"] = all(_refused(lambda path=path: _read(path)) for path in secrets)  # type: ignore[misc]
    refused["foreign files"] = all(_refused(lambda path=path: _write(path)) for path in writable)  # type: ignore[misc]
    return refused


def _refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except (OSError, ValueError, MemoryError):
        return True
    return False


def _connect() -> None:
    """A datagram needs no listener: it is sent wherever there is a network at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.sendto(b"", ("127.0.0.1", 9))


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _execute() -> None:
    """execve of a path that does not exist: ENOENT means that exec itself was allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.execve(b"/nowhere/at/all", None, None)
    if ctypes.get_errno() in (1, 13):
        raise PermissionError


def _cpu_is_unlimited() -> None:
    if resource.getrlimit(resource.RLIMIT_CPU)[1] != resource.RLIM_INFINITY:
        raise OSError("limited")


def _read(path: str) -> None:
    if Path(path).is_dir():
        os.listdir(path)
        return
    with open(path, "rb") as file:
        file.read(1)


def _write(folder: str) -> None:
    name = os.path.join(folder, f".ptqlab-probe-{os.getpid()}")
    descriptor = os.open(name, os.O_CREAT | os.O_WRONLY, 0o600)
    os.close(descriptor)
    with contextlib.suppress(OSError):
        os.unlink(name)
