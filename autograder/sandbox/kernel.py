"""The few system calls that Python has no name for: mounts, Landlock, prctl. Linux only.

Sources: mount(2), mount_setattr(2), pivot_root(2), landlock(7), prctl(2), seccomp(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Sequence
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
MS_REMOUNT, MNT_DETACH = 32, 2
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT = 36, 47
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(platform.machine(), -1)
_MOUNT_SETATTR = 442  # from here on every architecture has the same numbers
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def unshare(flags: int) -> None:
    """Move this process (for CLONE_NEWPID: its next child) into new namespaces."""
    _check(libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """mount(2)."""
    encoded = [None if text is None else text.encode() for text in (source, target, kind, options)]
    _check(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), f"mount {target}")


def make_tree_readonly(target: str) -> None:
    """Make a mount and all below it read-only, without devices and setuid programs."""
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0)
    result = libc.syscall(_MOUNT_SETATTR, AT_FDCWD, target.encode(), AT_RECURSIVE, attributes, ctypes.c_size_t(32))
    _check(result, f"mount_setattr {target}")


def pivot_root(new_root: str) -> None:
    """Make `new_root` the root of this mount namespace and detach the old one."""
    os.chdir(new_root)
    _check(libc.syscall(_PIVOT_ROOT, b".", b"."), "pivot_root")
    _check(libc.umount2(b".", MNT_DETACH), "umount of the old root")
    os.chdir("/")


def prctl(option: int, argument: int = 0) -> None:
    """prctl(2) with one argument."""
    _check(libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0), f"prctl {option}")


def drop_capabilities() -> None:
    """Give up every capability, also the ones that a later exec would bring back."""
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    header = struct.pack("Ii", 0x20080522, 0)
    _check(libc.capset(header, bytes(24)), "capset")


def landlock_abi() -> int:
    """The kernel's Landlock ABI, 0 where there is none."""
    return max(0, int(libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


# Landlock's file-system rights by the ABI that brought them: see landlock(7)
_READ = (1 << 0) | (1 << 2) | (1 << 3)  # execute, read file, read directory
_READ_FILE = 1 << 2
_FILE_ONLY = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14) | (1 << 15)


def _all_rights(abi: int) -> int:
    return {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}.get(abi, (1 << 16) - 1)


def landlock(
    readable: list[str],
    writable: list[str],
    devices: list[str],
    controlled: Sequence[str] = (),
    *,
    files_only: bool = False,
) -> int:
    """Restrict this process to reading below `readable` and writing below `writable`; returns the ABI used.

    `devices` may be read and written, `controlled` ones told what to do besides (ioctl).

    From ABI 4 on no TCP port can be bound or connected, from ABI 6 on no abstract socket outside is
    reachable and no process outside can be signalled; unless `files_only`.
    """
    abi = landlock_abi()
    if not abi:
        raise OSError("this kernel has no Landlock")
    rights = _all_rights(abi)
    attributes = struct.pack("QQQ", rights, 3, 3)
    size = 8 if abi < 4 or files_only else 16 if abi < 6 else 24
    ruleset = _check(libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0), "landlock_create_ruleset")
    try:
        device = _READ_FILE | 2
        kinds = ((readable, _READ), (writable, rights & ~1), (devices, device), (controlled, device | 1 << 15))
        for paths, allowed in kinds:
            for path in paths:
                _landlock_allow(ruleset, path, allowed & rights)
        _check(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)
    return abi


def _landlock_allow(ruleset: int, path: str, allowed: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not Path(path).is_dir():
            allowed &= _FILE_ONLY
        rule = struct.pack("=Qi", allowed, parent)
        _check(libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock_add_rule {path}")
    finally:
        os.close(parent)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install_seccomp(bpf: bytes) -> None:
    """Install a compiled filter on this thread and those it starts (no_new_privs must be set)."""
    program = _Program(len(bpf) // 8, bpf)
    _check(libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "prctl PR_SET_SECCOMP")
