"""Run a program as an ordinary user, also from tests that root runs.

An ordinary user can't enter root's home, and an interpreter may live there. So, in a mount namespace of its own, the
unreachable folder is covered by an empty one, and what the interpreter needs is bound back at its own place. Whoever
is an ordinary user already runs the program directly.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

UID = 12345  # nobody's: it owns nothing but the folder it is given
ROOT = Path(__file__).resolve().parents[2]


def run(
    arguments: Sequence[str], *, timeout: float = 600, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python arguments…` with this interpreter as an ordinary user, in a home that ends with the run."""
    with tempfile.TemporaryDirectory(prefix="ordinary-") as home, _owned(home):
        names = ("PATH", "LANG", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in names if name in os.environ}
        environment |= {"HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        become = [] if os.getuid() else [sys.executable, "-P", __file__]
        return subprocess.run(
            [*become, sys.executable, "-P", *arguments],
            cwd=home,
            env=environment,
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )


@contextlib.contextmanager
def _owned(home: str) -> Iterator[None]:
    if os.getuid() == 0:
        os.chown(home, UID, UID)
    yield


def main(command: list[str]) -> None:
    """As root: become an ordinary user who can reach this interpreter, and execute the command."""
    os.umask(0o022)
    needed = {Path(sys.prefix), Path(sys.base_prefix), ROOT}
    if hidden := {path: barrier for path in needed if (barrier := _barrier(path))}:
        _uncover(hidden)
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    os.execv(command[0], command)


def _barrier(path: Path) -> Path | None:
    """The topmost folder above `path` that others may not enter."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)


def _uncover(hidden: Mapping[Path, Path]) -> None:
    """Cover each barrier with an empty folder that everybody may enter, and bind what is needed back into it."""
    from autograder.sandbox import kernel

    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    held = {path: os.open(path, os.O_PATH) for path in hidden}
    for barrier in set(hidden.values()):
        kernel.mount("tmpfs", str(barrier), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    for path in sorted(hidden):  # a needed folder may lie in another
        if not path.is_dir():
            path.mkdir(parents=True)
            kernel.mount(f"/proc/self/fd/{held[path]}", str(path), None, kernel.MS_BIND | kernel.MS_REC)


if __name__ == "__main__":
    main(sys.argv[1:])
