"""`ptqlab grade` under watch: which processes it has, what they are for, and what stands in its reports.

Needs a process that adopts orphans (`adopting`), so that nothing that the command leaves behind is out of sight.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.sandbox import cgroups

ROOT = Path(__file__).resolve().parents[2]
SLUG = "01_basic_quantization"
PR_SET_CHILD_SUBREAPER = 36
LINGER_S = 120.0  # for processes to end, on a busy machine
# as the command `ptqlab`; the interpreter that forks the grading processes has its scratch where we look for it
PTQLAB = """from autograder.sandbox import launcher
launcher.PASSED_ON += ("TMPDIR",)
from autograder.cli import main
main()"""


# of tests of other things: children of this process, and control groups, that were there before
_OTHERS: set[int] = set()
_THEIR_GROUPS: set[Path] = set()


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Meanwhile every process that a child of this one leaves behind is a child of this one."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    _OTHERS.update(children(os.getpid()))
    _THEIR_GROUPS.update(_groups())
    try:
        yield
    finally:
        _OTHERS.clear()
        _THEIR_GROUPS.clear()
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def grade(handed: Path, out: Path, temporary: Path, *more: object, course: Path = ROOT) -> subprocess.Popen[str]:
    """Start `ptqlab grade HANDED --out OUT` with a folder of its own for temporary files."""
    command = [sys.executable, "-P", "-c", PTQLAB, "grade", handed, "--out", out, "--exercise", SLUG, *more]
    environment = os.environ | {"PTQLAB_COURSE": str(course), "COLUMNS": "200", "TMPDIR": str(temporary)}
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=handed.parent,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


# --- its processes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """A process of the command's, and what it is there for."""

    pid: int
    role: str  # command, fork server, grading process, zygote, worker


def processes(command: int) -> list[Process]:
    """Every living process below this one that is the command's."""
    return list(_roles(os.getpid(), command, "")) if command else []


def _roles(parent: int, command: int, above: str) -> Iterator[Process]:
    for pid in children(parent):
        if pid in _OTHERS or not (role := "command" if pid == command else _role(pid, above)):
            continue
        yield Process(pid, role)
        yield from _roles(pid, command, role)


def _role(pid: int, above: str) -> str:
    if above == "zygote":
        return "worker"  # or who waits for the one in its namespace
    if above == "worker":
        return "worker"
    program = _read(f"/proc/{pid}/cmdline")
    if "zygote.start" in program:
        return "zygote"  # that a grading process has started itself
    if "forkserver_main.start" not in program:
        return ""
    if above == "command":
        return "fork server"
    # the fork server's children, also those that it has left behind: a grading process has gone where the command is
    with contextlib.suppress(OSError):
        return "zygote" if os.readlink(f"/proc/{pid}/cwd") == "/" else "grading process"
    return ""


def children(pid: int) -> list[int]:
    """The living processes that a process is the parent of."""
    found = [int(word) for task in _tasks(pid) for word in _read(f"/proc/{pid}/task/{task}/children").split()]
    return [child for child in found if is_alive(child)]


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """Whether it runs, or could: a zombie doesn't."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] not in ([], ["Z"], ["X"])


def anonymous_kb(pid: int) -> int:
    """Kilobytes of memory that are the process's own, or shared with who forked it; 0 when it has ended."""
    found = re.search(r"^RssAnon:\s+(\d+)", _read(f"/proc/{pid}/status"), re.MULTILINE)
    return int(found[1]) if found else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def left_behind(before: set[int]) -> list[int]:
    """The processes below this one that did not end in time; `before` were there already."""
    eventually(lambda: not _new(before))
    return _new(before)


def groups_left() -> list[Path]:
    """Control groups of a zygote in which no process is any more, made since `adopting` began; tests beside this one may be
    about to remove theirs.
    """
    eventually(lambda: not _empty_groups())
    return _empty_groups()


def _empty_groups() -> list[Path]:
    found = []
    for folder in _groups() - _THEIR_GROUPS:
        with contextlib.suppress(OSError):
            found += [] if (folder / "cgroup.procs").read_text() else [folder]
    return sorted(found)


def _groups() -> set[Path]:
    return {folder for parent in cgroups.parents() for folder in parent.folder.glob("ptqlab-*")}


def below(pid: int) -> set[int]:
    """All living descendants of a process."""
    own = children(pid)
    return {*own}.union(*(below(child) for child in own))


def _new(before: set[int]) -> list[int]:
    with contextlib.suppress(ChildProcessError):
        for pid in set(children_and_zombies(os.getpid())) - before:
            os.waitpid(pid, os.WNOHANG)
    return sorted(below(os.getpid()) - before)


def children_and_zombies(pid: int) -> list[int]:
    """The processes that a process is the parent of, those included that it has not waited for."""
    return [int(word) for task in _tasks(pid) for word in _read(f"/proc/{pid}/task/{task}/children").split()]


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true; that it does is the claim, not when."""
    end = time.monotonic() + LINGER_S
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


# --- what it has written ------------------------------------------------------------------------------------------


def results(out: Path) -> dict[str, Any]:
    """Every report by its path below `out`, without what a clock decides."""
    paths = sorted(out.glob("*/*.json"))
    return {str(path.relative_to(out)): _timeless(json.loads(path.read_text(encoding="utf-8"))) for path in paths}


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key != "duration_s"}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def unexpected(out: Path) -> list[str]:
    """Files below `out` that no report is made of."""
    known = re.compile(rf"(scores\.csv|class\.html|assignment\.json|fingerprints\.json|[^/.][^/]*/{SLUG}\.(json|html))")
    paths = (str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir())
    return sorted(path for path in paths if not known.fullmatch(path))
