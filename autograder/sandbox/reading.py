"""Reading what students hand in, each file in a bounded child: the client of `reader_main`.

Nothing that a child says is believed beyond the caps of its record. Whatever becomes of the child, a record comes
back: a file that is too much is its student's clear sentence, and never a fault of the grader's.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import io
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from autograder.records import Exercise, PtqlabError
from autograder.runtime.process_state import STATE
from autograder.sandbox import launcher
from autograder.sandbox.reader_main import (
    MEMORY,
    OUT_OF_MEMORY,
    SIZE,
    TOO_DEEP,
    Ended,
    HandedOut,
    Request,
)
from autograder.sandbox.reader_main import (
    sha256_of as piece_sha256,
)
from autograder.sandbox.unpacking import Caps
from autograder.submission.newer_python import version_needed
from autograder.submission.notebook import UnreadableError
from autograder.submission.recognition import MOST_FILE, opened, too_large
from autograder.submission.record import MOST_FRAME, At, Done, Frame, Record, decode

MOST_FRAMES = 32 << 20  # bytes that a child may say of one file
TRIES = 2  # a child that was ended from outside gets a second one
_CHUNK = 1 << 20
_NEARLY_MB = (MEMORY >> 20) * 7 // 8  # whoever is killed with that much has run out of memory
_ORDINARY_MB = 256  # no notebook takes that much beyond its own size
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_PROGRAM = """import sys
from autograder.sandbox import reader_main
reader_main.serve(int(sys.argv[1]))"""


def read(path: Path, exercise: Exercise, data: bytes | None = None) -> Record:
    """Read one file for one exercise; `data` is its content, where it lies on another machine.

    Of a notebook made with a newer Python, code that this one doesn't take is shown to a parser that knows both.
    """
    request = Request("read", _shown(path.name), _handed_out([exercise]))
    record = _of_file(request, path, data)
    if record.asked and record.look is not None:
        needed = {piece: version_needed(piece, record.look.python) for piece in record.asked}
        request.pythons = {piece_sha256(piece): python for piece, python in needed.items()}
        record = _of_file(request, path, data) if any(needed.values()) else record
    return record


def look(path: Path, exercises: Sequence[Exercise]) -> Record:
    """Find out what a file is, without compiling it."""
    return _of_file(Request("look", _shown(path.name), _handed_out(exercises)), path)


def cells(path: Path) -> Record:
    """Read all cells of a notebook, as nbgrader needs them."""
    return _of_file(Request("cells", _shown(path.name)), path)


def unpack(archive: Path, caps: Caps, store: IO[bytes]) -> Record:
    """Have an archive's files written into `store`, end to end; the record's members say where each lies."""
    request = Request("unpack", _shown(archive.name), caps=caps)
    with _failures(Record(name=request.name)) as result, opened(archive, capped=False) as file:
        result[0] = _answer(request, [file.fileno(), store.fileno()])
    return result[0]


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes; "" for what can't be read."""
    try:
        with opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (UnreadableError, OSError):
        return ""


def _handed_out(exercises: Sequence[Exercise]) -> tuple[HandedOut, ...]:
    return tuple(HandedOut(each.slug, each.functions, str(each.folder.absolute())) for each in exercises)


def _shown(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _of_file(request: Request, path: Path, data: bytes | None = None) -> Record:
    with _failures(Record(name=request.name)) as result, _sealed(path, data) as (file, size, sha256):
        result[0] = _answer(request, [file], size, sha256)
    return result[0]


@contextlib.contextmanager
def _failures(record: Record) -> Iterator[list[Record]]:
    """Make a record of what goes wrong; a PtqlabError, for which no file can be read here, passes."""
    result = [record]
    try:
        yield result
    except UnreadableError as error:
        record.problem = str(error)
    except PtqlabError:
        raise
    except Exception as error:
        record.fault = f"The reader itself failed: {type(error).__name__}: {error}"


def _answer(request: Request, files: Sequence[int], size: int = 0, sha256: str = "") -> Record:
    for _ in range(TRIES):
        record = Record(name=request.name, sha256=sha256)
        said, ended = _reader().ask(request, files)
        if _judge(record, said, ended, request.caps, size >> 20):
            break
    return record


def _judge(record: Record, said: bytes, ended: Ended, caps: Caps, size_mb: int) -> bool:
    """Take in what a child has said; return False where something from outside has ended it."""
    place, done = "", False
    try:
        for frame in _frames(said):
            place = frame.place if isinstance(frame, At) else place
            done = done or isinstance(frame, Done)
            record.add(frame)
    except (ValueError, msgspec.MsgspecError):
        record.problem, record.code = f"{record.name} could not be read: it makes more than a notebook can hold.", None
    if done or record.problem or record.code is not None:
        record.fault = ""  # what breaks after the code is known costs only the comparison of code
        return True
    record.problem = _sentence(record.name, place, ended, caps, size_mb)
    if record.problem or record.fault:
        record.fault = "" if record.problem else record.fault
        return True
    record.fault = f"The reader was ended from outside (status {ended.status}, {ended.peak_mb} MB)."
    return False


def _frames(said: bytes) -> Iterator[Frame]:
    """The frames that a child has sent; ValueError for more or longer ones than a notebook makes."""
    at = 0
    if len(said) > MOST_FRAMES:
        raise ValueError("more than a notebook makes")
    while at + SIZE.size <= len(said):
        (size,) = SIZE.unpack_from(said, at)
        body = said[at + SIZE.size : at + SIZE.size + size]
        if size > MOST_FRAME:
            raise ValueError("a frame that is too long")
        if len(body) < size:
            return  # it ended in the middle of a word
        yield decode(body)
        at += SIZE.size + size


def _sentence(name: str, place: str, ended: Ended, caps: Caps, size_mb: int) -> str:
    """Say why a child ended before it had said everything; "" where the file is not the reason."""
    where, as_no_other = f" (at {place})" if place else "", "as no honest file does: it is not graded."
    number = os.WTERMSIG(ended.status) if os.WIFSIGNALED(ended.status) else 0
    code = 0 if number else os.WEXITSTATUS(ended.status)
    if number == signal.SIGXCPU or ended.cpu_s > (2.0 if number == signal.SIGALRM else caps.cpu_s - 0.5):
        return f"{name} takes longer than {caps.cpu_s} s to be read{where}, {as_no_other}"
    enough_mb = _ORDINARY_MB + size_mb if number == signal.SIGKILL else _NEARLY_MB
    if code == OUT_OF_MEMORY or ended.peak_mb > enough_mb:
        return f"{name} needs more than 1 GB of memory to be read{where}, {as_no_other}"
    if code == TOO_DEEP:
        return f"{name} is nested too deeply{where}: it is not graded."
    if number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
        return f"{name} is too large or too intricate for Python's own compiler{where}: it is not graded."
    return ""


@contextlib.contextmanager
def _sealed(path: Path, data: bytes | None) -> Iterator[tuple[int, int, str]]:
    """Yield the descriptor, size and sha256 of a copy in memory that nobody can change: what is read was hashed."""
    held = os.memfd_create("ptqlab", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        digest, size = hashlib.sha256(), 0
        with opened(path) if data is None else io.BytesIO(data) as source, open(held, "wb", closefd=False) as copy:
            while chunk := source.read(_CHUNK):
                size += copy.write(chunk)
                if size > MOST_FILE:  # it grows while it is read
                    raise too_large(path.name)
                digest.update(chunk)
        fcntl.fcntl(held, fcntl.F_ADD_SEALS, _SEALS)
        yield held, size, digest.hexdigest()
    finally:
        os.close(held)


# --- the parent as its client sees it -----------------------------------------------------------------------------


class Reader:
    """A warm parent, started when it is first needed and again when it has died. One file at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._log: IO[bytes]
        self._process: subprocess.Popen[bytes]

    def ask(self, request: Request, files: Sequence[int]) -> tuple[bytes, Ended]:
        """Have a child answer one request; returns the bytes of its frames, and how it ended."""
        message = msgspec.msgpack.encode(request)
        with self._lock:
            for _ in range(2):
                try:
                    said, ended = self._ask(self._control or self._start(), message, files)
                except (OSError, EOFError):
                    self.close()
                    continue
                if ended.trouble:
                    raise PtqlabError(f"What was handed out can't be read: {ended.trouble}; run `ptqlab build`.")
                return said, ended
        raise PtqlabError(f"The process that reads submissions ended twice ({self.last_words}); grade again.")

    def _ask(self, control: socket.socket, message: bytes, files: Sequence[int]) -> tuple[bytes, Ended]:
        ours, theirs = os.pipe()
        with open(ours, "rb") as answers:
            try:
                socket.send_fds(control, [message], [*files, theirs])
            finally:
                os.close(theirs)
            said = answers.read(MOST_FRAMES + 1)
        data = control.recv(1 << 16)
        if not data:
            raise EOFError
        return said, msgspec.msgpack.decode(data, type=Ended)

    def _start(self) -> socket.socket:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the parent
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = launcher.interpreter(_PROGRAM, theirs, self._log)
        self._control = control
        atexit.register(self.close)  # a second end does nothing
        control.settimeout(launcher.START_S)
        if control.recv(16) != b"READY":
            raise EOFError
        control.settimeout(None)
        return control

    def close(self) -> None:
        """End the parent, and the child that it has."""
        if self._control is not None:
            self._control.close()
            self._control = None
            self._process.kill()
            self._process.wait()
            self.last_words = launcher.last_words(self._log)
            self._log.close()

    last_words = "no message"


@STATE.keep(1, lambda reader: reader.close())
def _reader() -> Reader:
    """Return this process's reader."""
    return Reader()
