"""Run a program as in a container whose seccomp profile refuses namespaces and mounts, as Docker's default does."""

from __future__ import annotations

import errno
import os
import sys

NAMESPACES = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)  # CLONE_NEW…
MOUNTS = ("mount", "umount2", "pivot_root", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsmount")


def refuse(what: str) -> None:
    """Refuse `namespaces` and mounts, or only the `mounts` inside new namespaces, as AppArmor does on some systems."""
    import pyseccomp as seccomp

    profile = seccomp.SyscallFilter(defaction=seccomp.ALLOW)
    refused = seccomp.ERRNO(errno.EPERM)
    for name in MOUNTS:
        profile.add_rule(refused, name)
    if what == "namespaces":
        profile.add_rule(refused, "unshare")
        profile.add_rule(refused, "setns")
        profile.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
        for flag in NAMESPACES[1:]:
            profile.add_rule(refused, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    profile.load()


if __name__ == "__main__":
    refuse(sys.argv[1])
    os.execv(sys.executable, [sys.executable, "-P", *sys.argv[2:]])
