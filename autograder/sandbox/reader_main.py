"""The reader's processes: a warm parent of one thread that forks a bounded child for each file. No student code runs.

The child gets a file, and a pipe for what it says of it. It opens nothing, starts nothing, and ends by its limits:
1 GB of memory, 10 CPU seconds, a wall clock. The parent only waits for it, and tells the client how it ended.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import mmap
import os
import resource
import signal
import socket
import struct
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from autograder.sandbox import kernel, syscalls
from autograder.sandbox.unpacking import Caps, unpack
from autograder.submission import reader
from autograder.submission.packages import installed
from autograder.submission.recognition import Lab, lab_of, look
from autograder.submission.record import MOST_ASKED, Asks, Broke, Done, Frame, encode

MEMORY = 1 << 30  # bytes of address space
CPU_S = 10
WALL_FACTOR = 12  # wall seconds for a CPU second: a child never waits, but the machine may be busy
OUT_OF_MEMORY, TOO_DEEP = 3, 4  # exit codes
SIZE = struct.Struct("<I")  # in front of each frame: its bytes
# what is imported when it is first used: a child can't import
_LATE = """
json.decoder unicodedata bz2 gzip lzma
encodings.utf_8_sig encodings.raw_unicode_escape encodings.unicode_escape
encodings.cp437 encodings.cp950 encodings.cp932 encodings.gbk encodings.cp949
""".split()


READING = Caps(entries=0, file_bytes=0, all_bytes=0, cpu_s=CPU_S)


class HandedOut(msgspec.Struct, frozen=True):
    """Where the parent finds an exercise as it was handed out."""

    slug: str
    functions: tuple[str, ...]
    folder: str


class Request(msgspec.Struct):
    """One file to read. `op`: look, read, cells or unpack.

    Beside it come the descriptors of the file, of one to write to where it is to be unpacked, and of the pipe.
    """

    op: str
    name: str
    labs: tuple[HandedOut, ...] = ()
    caps: Caps = READING
    pythons: dict[str, str] = {}  # sha256 of code that this Python doesn't take -> the one that does, or ""


class Ended(msgspec.Struct):
    """How a child ended, in the words of wait4. `trouble`: why none was started."""

    status: int = 0
    cpu_s: float = 0.0
    peak_mb: int = 0
    trouble: str = ""


_WARM: set[HandedOut] = set()  # whose notebooks have been read


def serve(control: int) -> NoReturn:
    """Say READY, then fork a child for each request until the client hangs up."""
    asked = socket.socket(fileno=control)
    for name in _LATE:
        importlib.import_module(name)
    installed()  # a child can't look
    bpf = _filter()
    _settle()
    asked.send(b"READY")
    decoder = msgspec.msgpack.Decoder(Request)
    while True:
        data, files, _, _ = socket.recv_fds(asked, 1 << 16, 3)
        if not data:
            os._exit(0)
        ended = _run(decoder.decode(data), files, asked, bpf)
        asked.send(msgspec.msgpack.encode(ended))


def _filter() -> bytes:
    """The filter for a child's system calls; empty on a machine without libseccomp."""
    with suppress(ImportError, RuntimeError, OSError):
        return syscalls.compile_reader_filter()
    return b""


def _settle() -> None:
    """Make the heap one that the collector leaves alone: its pages stay shared with the children."""
    gc.collect()
    gc.freeze()


def _run(request: Request, files: list[int], control: socket.socket, bpf: bytes) -> Ended:
    try:
        labs = [_lab(each) for each in request.labs]
    except Exception as error:
        return Ended(trouble=f"{type(error).__name__}: {error}")
    else:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _child(request, labs, files, control, bpf, parent)
    finally:
        for file in files:
            os.close(file)
    _, status, used = os.wait4(pid, 0)
    return Ended(status, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10)


def _lab(of: HandedOut) -> Lab:
    lab = lab_of(of.slug, of.functions, Path(of.folder))
    if of not in _WARM:
        _WARM.add(of)
        _settle()
    return lab


# --- the child ----------------------------------------------------------------------------------------------------


def _child(
    request: Request, labs: list[Lab], files: list[int], control: socket.socket, bpf: bytes, parent: int
) -> NoReturn:
    code = 1
    send = partial(_put, files[-1])
    try:
        control.close()
        data = memoryview(b"") if request.op == "unpack" else _mapped(files[0])
        bound(bpf, parent, request.caps)
        if request.op == "unpack":
            with open(files[0], "rb") as file, open(files[1], "wb") as store:
                unpack(request.name, file, store, request.caps, send)
        else:
            _read(request, labs, data, send)
        send(Done())
        code = 0
    except MemoryError:
        code = OUT_OF_MEMORY
    except RecursionError:
        code = TOO_DEEP
    except BaseException as error:
        send(Broke(f"{type(error).__name__}: {error}"[:500]))
    finally:
        os._exit(code)


def bound(bpf: bytes, parent: int, caps: Caps) -> None:
    """Put this process in its limits; it ends with its parent."""
    gc.disable()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    for number in (signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, WALL_FACTOR * caps.cpu_s)
    limits = {
        resource.RLIMIT_AS: (MEMORY, MEMORY),
        resource.RLIMIT_CPU: (caps.cpu_s, caps.cpu_s + 1),
        resource.RLIMIT_FSIZE: (caps.all_bytes, caps.all_bytes),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, (soft, hard) in limits.items():
        most = resource.getrlimit(kind)[1]
        most = hard if most == resource.RLIM_INFINITY else min(hard, most)
        resource.setrlimit(kind, (min(soft, most), most))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if bpf:
        kernel.install_seccomp(bpf)


def _mapped(file: int) -> memoryview:
    size = os.fstat(file).st_size
    return memoryview(mmap.mmap(file, size, mmap.MAP_PRIVATE, mmap.PROT_READ)) if size else memoryview(b"")


def _read(request: Request, labs: list[Lab], data: memoryview, send: reader.Send) -> None:
    match request.op:
        case "look":
            send(look(request.name, data, labs)[0])
        case "read":
            asked: list[str] = []
            reader.read(request.name, data, labs[0], send, judge=partial(_judged, request.pythons, asked))
            send(Asks(asked))
        case "cells":
            reader.read_cells(request.name, data, send)


def _judged(known: dict[str, str], asked: list[str], source: str, claimed: str) -> str:
    """What the client has found out of code that a newer Python may take; the client is asked if it hasn't yet."""
    if sha256_of(source) not in known and len(asked) < MOST_ASKED:
        asked.append(source)
    return known.get(sha256_of(source), "")


def sha256_of(source: str) -> str:
    """Return the sha256 of a piece of code."""
    return hashlib.sha256(source.encode()).hexdigest()


def _put(pipe: int, frame: Frame) -> None:
    body = encode(frame)
    view = memoryview(SIZE.pack(len(body)) + body)
    while view:
        view = view[os.write(pipe, view) :]
