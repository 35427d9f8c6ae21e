"""A control group of a zygote and all its workers: memory and processes bounded for them together, root's too.

Resource limits count a process or a user; a group counts everything in it, what a process shares and what the kernel
keeps for it included. Where the machine gives none (the tree is mounted read-only, a user has none of its own), the
other
layers hold alone. A worker is born in its zygote's group, so a group costs a worker nothing, and no worker can leave
it:
it can't write where groups are.

v1: a group below our own, for each controller. v2: below the nearest group upwards that hands both controllers
to its children; a group that has processes of its own does not (kernel: Documentation/admin-guide/cgroup-v2.rst).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONTROLLERS = ("memory", "pids")
MOST_PIDS = 576  # threads and processes: as many as a user may have by the limits, and the zygote
LEFT_S = 30.0  # for processes that were killed to be gone
SPARE_MB = 1024  # pages of the zygote that a worker changes, page tables, and files that are read


@dataclass(frozen=True)
class Parent:
    """A group below which one of ours may be made, and what can be bounded in it."""

    version: str  # "v1" or "v2"
    controllers: tuple[str, ...]
    folder: Path


class Group:
    """Groups of one name that this process is in, one for each of v1's controllers or one for both of v2's."""

    def __init__(self, name: str) -> None:
        self._folders: dict[Path, Parent] = {}
        self._memory_mb = 0
        self.refused = ""  # why the last one that was tried could not be had
        for parent in parents():
            try:
                self._enter(parent, parent.folder / name)
            except OSError as error:
                self.refused = f"{parent.version}: {error.strerror}"
        self.words = [f"control group {version}" for version in sorted({p.version for p in self._folders.values()})]

    def _enter(self, parent: Parent, folder: Path) -> None:
        if set(parent.controllers) <= self.controllers():
            return
        folder.mkdir()
        try:
            if "pids" in parent.controllers:
                _write(folder / "pids.max", MOST_PIDS)
            if "memory" in parent.controllers:
                _bound_memory(folder, parent.version, SPARE_MB << 20)
            _move(folder)
        except OSError:
            folder.rmdir()
            raise
        self._folders[folder] = parent

    def controllers(self) -> set[str]:
        """What is bounded."""
        return {name for parent in self._folders.values() for name in parent.controllers}

    def limit(self, memory_mb: int) -> None:
        """Bound the memory of all in the group, before a worker is started that may have so much."""
        if memory_mb == self._memory_mb:
            return
        self._memory_mb, size = memory_mb, (memory_mb + SPARE_MB) << 20
        for folder, parent in self._folders.items():
            if "memory" in parent.controllers:
                _bound_memory(folder, parent.version, size)

    def leave(self) -> None:
        """Go back to where this process came from, and remove the groups."""
        for folder, parent in self._folders.items():
            with contextlib.suppress(OSError):
                _move(parent.folder)
            _remove(folder)
        self._folders.clear()


def remove(name: str) -> None:
    """Remove what a zygote that was killed has left: its groups, and whoever is still in one."""
    for parent in parents():
        _remove(parent.folder / name)


def _remove(folder: Path) -> None:
    """A group can be removed when nobody is in it, which takes a killed process a moment: it gives its memory back
    first.
    """
    deadline = time.monotonic() + LEFT_S
    while folder.is_dir() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        with contextlib.suppress(OSError):
            for pid in {int(line) for line in (folder / "cgroup.procs").read_text().split()} - {0, os.getpid()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def parents() -> list[Parent]:
    """Where a group of ours may be made, the nearest first."""
    usable: list[Parent] = []
    with contextlib.suppress(OSError):
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        points = [(m[m.index("-") + 1], set(m[m.index("-") + 3].split(",")), Path(m[4])) for m in mounts]
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for kind, options, point in points:
                group = point / path.lstrip("/")
                folder = group if group.is_dir() else point  # a container sees its own group as the root
                if kind == "cgroup2" and not controllers:
                    usable += _parents_v2(folder, point)
                if kind == "cgroup" and (hits := {*CONTROLLERS} & {*controllers.split(",")} & options):
                    usable.append(Parent("v1", tuple(sorted(hits)), folder))
    return usable


def _parents_v2(group: Path, point: Path) -> Iterator[Parent]:
    for folder in (group, *group.parents):
        with contextlib.suppress(OSError):
            if {*CONTROLLERS} <= {*(folder / "cgroup.subtree_control").read_text().split()}:
                yield Parent("v2", CONTROLLERS, folder)
        if folder == point:
            return


def _bound_memory(folder: Path, version: str, size: int) -> None:
    """Without swap, where it is counted; the bound of both together may never be the lower one, so it comes down
    last.
    """
    if version == "v2":
        _write(folder / "memory.max", size)
        with contextlib.suppress(OSError):
            _write(folder / "memory.swap.max", 0)
        return
    both = folder / "memory.memsw.limit_in_bytes"
    with contextlib.suppress(OSError):
        _write(both, -1)
    _write(folder / "memory.limit_in_bytes", size)
    with contextlib.suppress(OSError):
        _write(both, size)


def _move(folder: Path) -> None:
    _write(folder / "cgroup.procs", os.getpid())


def _write(file: Path, value: int) -> None:
    descriptor = os.open(file, os.O_WRONLY)  # never made: a file that is not there is no control
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)
