"""The one folder where a worker may write, when it lies on the machine's own disk: its size, and its end.

A worker in namespaces has a capped tmpfs there, which ends with it. Without them the folder is a real one, and what
a hostile submission leaves in it (a thousand levels, folders without permissions) must neither fill the disk nor stay.

Where everything is killed at once (a batch system's time is up), nobody is left to remove a folder. So whoever uses one
holds a lock on it, which the kernel takes back with the last of them, and the next command removes what nobody holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

MAX_ENTRIES = 4096
PREFIX = f"ptqlab-scratch-{os.uname().nodename}-"  # a lock on a shared disk may hold on one machine alone


@contextlib.contextmanager
def folder() -> Iterator[str]:
    """A folder for this user alone, gone after the block."""
    path, lock = make(0o700)
    try:
        yield path
    finally:
        remove(path)
        os.close(lock)


def make(mode: int = 0o711) -> tuple[str, int]:
    """A new folder, and a descriptor that holds it, as does each copy of it that a forked process has, until all are
    closed.

    A worker's own user must reach the scratch below, hence the mode.
    """
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX)
        with contextlib.suppress(FileNotFoundError):  # it looked abandoned in this moment
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            if _is_free(lock) is not False and os.path.isdir(path):
                os.fchmod(lock, mode)
                return path, lock
            os.close(lock)


def abandoned() -> Iterator[str]:
    """This user's folders that nobody holds any more; each is held while the caller deals with it."""
    with os.scandir(tempfile.gettempdir()) as entries:
        paths = [entry.path for entry in entries if entry.name.startswith(PREFIX)]
    for path in paths:
        with contextlib.suppress(OSError):  # another user's, or gone
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid() and _is_free(lock):
                    yield path
            finally:
                os.close(lock)


def _is_free(folder: int) -> bool | None:
    """Whether nobody held an opened folder until now; None where the file system can't tell."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_over(folder: str, megabytes: int, pid: int | None = None) -> bool:
    """Whether the files below `folder` are too many or too large, or can't be measured.

    Files without a name that the process `pid` holds count, too.
    """
    bytes_left, entries_left, waiting = (megabytes << 20) - unnamed_bytes(pid), MAX_ENTRIES, [folder]
    if bytes_left < 0:
        return True
    try:
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    bytes_left -= entry.stat(follow_symlinks=False).st_blocks * 512
                    entries_left -= 1
                    if bytes_left < 0 or entries_left < 0:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    except FileNotFoundError:  # gone while it was looked at
        return False
    except OSError:  # a path too long, a folder made unreadable
        return True
    return False


def unnamed_bytes(pid: int | None) -> int:
    """Bytes on disk of the files that a process holds open and that have no name any more."""
    if pid is None:
        return 0
    sizes: dict[tuple[int, int], int] = {}
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # closed in this moment
                status = os.stat(entry.path)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def remove(folder: str) -> None:
    """Remove a tree of any depth and any permissions; what can't be removed stays, without an error."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # almost always empty
        return
    with contextlib.suppress(OSError):
        _flatten(Path(folder))
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder, ignore_errors=True)


def _flatten(folder: Path) -> None:
    """Remove files, and lift folders to the top until none is left: no path grows long, no call recurses."""
    lifted = (folder / f".lifted-{os.getpid()}-{n}" for n in itertools.count())
    while folders := [entry for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]:
        for entry in folders:
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)  # to be moved, a folder must be writable
                    os.rename(inner.path, next(lifted))
                else:
                    os.unlink(inner.path)
            os.rmdir(entry.path)
