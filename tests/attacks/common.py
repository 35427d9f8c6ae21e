"""What both graders need to know of an attack: its header, what it is told, and how a win is seen."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgpack

libc = ctypes.CDLL(None)
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CALLED = ("read", "tell", "compare", "forge", "shadow", "payload", "resource", "network and IPC", "banned call")
HANDED_IN = ("archive", "notebook", "malformed")  # what these attack with is the form of the submission
CATEGORIES = (*CALLED, *HANDED_IN)
WINS = {
    "points": "a point is earned, though no task is solved",
    "leak": "what the grader keeps to itself stands in the report",
    "markup": "the report carries a script or terminal codes",
    "file": "a file appears outside the scratch folder",
    "process": "a process outlives the grading",
    "message": "a message reaches another program",
    "signal": "the grader is signalled",
    "no report": "there is no report: the grader died or hung",
    "memory": "the grading process keeps what it took: its memory is larger afterwards",
    "neighbour": "another student's score or report is another one, or withheld",
}
SECRET, INPUT = re.compile(r"LEAK:\s*\S"), re.compile(r"INPUT:\s*\S")  # attacks put these before what they found
KEYCTL = {"x86_64": 250, "aarch64": 219}.get(platform.machine(), -1)
KEYCTL_SEARCH, KEYCTL_UNLINK, USER_KEYRING = 10, 9, -4
LISTEN_TO_LOCKS = """import fcntl, os, socket, sys, time
parent = os.getppid()
tell = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
with open(sys.argv[1], "rb") as file:
    while os.getppid() == parent:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
        except OSError:
            tell.sendto(b"locked", ("127.0.0.1", int(sys.argv[2])))
        time.sleep(0.05)
"""
SCRIPT, ESCAPE = "<script>ptqlab", "\x1b[31m"


@dataclass(frozen=True)
class Attack:
    """One file of the bank. `wins_if` names a way to win; `naive` is whether it wins against the naive grader."""

    name: str
    category: str
    wins_if: str
    naive: str  # "wins" or "robustness"
    cpu_s: float  # seconds a call gets: little for those that would use them all
    what: str  # its docstring
    source: str

    def aimed(self, target: Target) -> str:
        """The submission: told the port and the names that this run listens to."""
        text = self.source
        for mark, value in (
            ("@PORT@", str(target.port)),
            ("@MARK@", target.mark),
            ("@SOCKET@", target.mark[5:]),
            ("@KEY@", str(target.key)),
        ):
            text = text.replace(mark, value)
        return text


def read_bank(names: Sequence[str] = ()) -> list[Attack]:
    """Every attack that is called, or those named."""
    files = sorted((HERE / "bank").glob("*.py"))
    return [read_attack(file) for file in files if not names or file.stem in names]


def read_built(names: Sequence[str] = ()) -> list[Attack]:
    """Every attack that builds what it hands in, a notebook or an archive, or those named."""
    files = sorted((HERE / "bank" / "built").glob("*.py"))
    return [read_attack(file) for file in files if not names or file.stem in names]


def read_attack(file: Path) -> Attack:
    """Read a header (`# category:`, `# wins if:`, `# naive:`, perhaps `# cpu:`) and the docstring below it."""
    text = file.read_text(encoding="utf-8")
    header = dict(re.findall(r"^# (category|wins if|naive|cpu): (.+)$", text, re.MULTILINE))
    what = re.search(r'^"""(.+?)"""', text, re.MULTILINE | re.DOTALL)
    if header.get("category") not in CATEGORIES or header.get("wins if") not in WINS or what is None:
        raise ValueError(f"{file.name}: expected a header with a known category and way to win, and a docstring")
    if header.get("naive") not in ("wins", "robustness"):
        raise ValueError(f"{file.name}: expected `# naive: wins` or `# naive: robustness`")
    return Attack(
        file.stem,
        header["category"],
        header["wins if"],
        header["naive"],
        float(header.get("cpu", 1)),
        " ".join(what[1].split()),
        text,
    )


@dataclass
class Target:
    """What attacks aim at, and whether one hit: listeners, names of files, folders, a signal."""

    folders: Sequence[Path] = ()  # in which nothing new may appear
    own: Path | None = None  # the naive grader's, from which every later interpreter loads: nothing marked may appear
    mark: str = field(default_factory=lambda: f"/tmp/ptqlab-attack-{secrets.token_hex(4)}")
    key: int = field(default_factory=lambda: secrets.randbelow(1 << 30) + 1)  # of System V IPC
    port: int = 0
    signals: int = 0
    listeners: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Target:
        tcp = socket.create_server(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", self.port))
        abstract = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        abstract.bind("\0" + self.mark[5:])
        abstract.listen()
        self.listeners = [tcp, udp, abstract]
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "signals", self.signals + 1))
        # another program, which looks whether a library's file is locked, and passes that on
        files = sorted(
            Path(msgpack.__file__).parent.parent.glob("torch/*/*.py")
        )  # one of hundreds: others run beside this
        command = [sys.executable, "-I", "-S", "-c", LISTEN_TO_LOCKS, str(files[self.key % len(files)]), str(self.port)]
        self.listening = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.seen = self._names()
        return self

    def __exit__(self, *_: object) -> None:
        self.listening.kill()
        self.listening.wait()
        for listener in self.listeners:
            listener.close()
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.clean()

    def _names(self) -> set[Path]:
        return {path for folder in self.folders for path in _children(folder) if path.name != "__pycache__"}

    def marked(self) -> list[Path]:
        """Files that an attack left, wherever it is known to try."""
        name = Path(self.mark).name
        places = [
            "/tmp",
            "/var/tmp",
            "/dev/shm",
            str(Path.home()),
            sysconfig.get_path("purelib"),
            str(ROOT / "autograder"),
        ]
        places += [str(self.own)] if self.own else []
        return [path for place in places for path in _children(Path(place)) if path.name.startswith(name)]

    def _is_left_in_memory(self) -> bool:
        """Whether an attack has left a segment, a queue or a key; it is gone afterwards."""
        segment, queue = libc.shmget(self.key, 0, 0), libc.msgget(self.key, 0)
        left = [libc.shmctl(segment, 0, None)] if segment >= 0 else []
        left += [libc.msgctl(queue, 0, None)] if queue >= 0 else []
        key = libc.syscall(KEYCTL, KEYCTL_SEARCH, USER_KEYRING, b"user", self.mark[5:].encode(), 0)
        left += [libc.syscall(KEYCTL, KEYCTL_UNLINK, key, USER_KEYRING)] if key >= 0 else []
        return bool(left) or libc.mq_unlink(b"/" + self.mark[5:].encode()) == 0

    def clean(self) -> None:
        """Remove what attacks left."""
        for path in (*self.marked(), *(self._names() - self.seen)):
            with contextlib.suppress(OSError):
                path.unlink()

    def hits(self) -> set[str]:
        """The ways in which something outside was reached since the last call."""
        found = set()
        if self.marked() or self._names() - self.seen:
            found.add("file")
        while ready := select.select(self.listeners, [], [], 0)[0]:
            found.add("message")
            for listener in ready:
                listener.recv(4096) if listener.type is socket.SOCK_DGRAM else listener.accept()[0].close()
        if self._is_left_in_memory():
            found.add("message")
        if self.signals:
            found.add("signal")
        self.signals = 0
        self.clean()
        return found


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def children_of(pid: int) -> Iterator[int]:
    """The processes below a process."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                yield int(child)
                yield from children_of(int(child))
