"""Isolation of one worker, in layers; runs in the forked child, before any student code.

Strongest first: namespaces with a minimal read-only root, Landlock, seccomp, a user of its own, limits,
no_new_privs, an empty environment, no inherited descriptors. Each layer is applied where the machine offers
it; what holds in the end is not assumed but tried, by probes.py, and the grader decides on that.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autograder.sandbox import kernel

LAYERS = ("namespaces", "landlock", "seccomp", "user", "limits")
FIRST_UID = 61184  # systemd's range for dynamic users: no login ever has these
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
CUDA_HOST_MB = 1024  # what CUDA itself takes of a process's memory
CUDA_MB = 3072  # of the GPU's memory for a worker's tensors: others share it


class NamespacesRefusedError(Exception):
    """This machine allows no namespaces, or none with a root of their own: a worker is started without."""


@dataclass(frozen=True)
class JailSpec:
    """What a worker may have. `readable` are the library trees, `scratch` the only writable folder."""

    layers: tuple[str, ...]
    readable: tuple[str, ...]
    scratch: str
    memory_mb: int
    scratch_mb: int
    cpu_s: int
    cuda: bool = False


@cache
def library_trees(package: Path) -> tuple[str, ...]:
    """The folders that hold the interpreter, its packages, the system's libraries and this package."""
    lib = "lib"
    trees = {Path(prefix) / lib for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    trees |= {Path(entry) for entry in sys.path if (entry and "site-packages" in entry) or "dist-packages" in entry}
    trees |= {Path(p) for p in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")}
    trees |= {package, Path(sys.executable), Path(os.path.realpath(sys.executable))}
    existing = {str(path) for path in trees if path.exists()} | {str(path.resolve()) for path in trees if path.exists()}
    return tuple(sorted(existing))


def new_namespaces(plan: JailSpec) -> str:
    """Leave the machine's namespaces; empty when done, else the reason why it could not be done.

    After a failure this process may stand halfway, with an unmapped user and unable to start threads: it is of no use.
    """
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    uid, gid = os.geteuid(), os.getegid()
    try:
        if uid == 0 and "user" in plan.layers:
            kernel.unshare(flags)
            return ""
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"1000 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"1000 {gid} 1")
    except OSError as error:
        return str(error)
    return ""


def build_root(plan: JailSpec) -> None:
    """Replace the root by a tmpfs that shows the library trees read-only, four devices, /proc and /scratch."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    # an empty folder of this worker's own: a mount there hides nothing
    kernel.mount("tmpfs", plan.scratch, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    os.chdir(plan.scratch)
    point = "."  # and not its path: when the grader has ended meanwhile and removed it, nobody makes it anew
    shown: list[str] = []
    for tree in sorted(plan.readable):
        if not any(_is_below(tree, other) for other in shown):
            _show(tree, point)
            shown.append(tree)
    for device in (*_DEVICES, *_cuda_devices(plan)):
        _bind(device, point + device)
    _scratch(plan, point)
    Path(point, "proc").mkdir()
    with contextlib.suppress(OSError):  # a container may mask parts of /proc and so forbid a fresh one
        kernel.mount("proc", point + "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.mount(
        "none", point, None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    )
    kernel.pivot_root(point)


def _cuda_devices(plan: JailSpec) -> list[str]:
    return sorted(map(str, Path("/dev").glob("nvidia*"))) if plan.cuda else []


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _show(tree: str, root: str) -> None:
    if Path(tree).is_symlink():
        Path(root + tree).parent.mkdir(parents=True, exist_ok=True)
        Path(root + tree).symlink_to(os.readlink(tree))
        return
    _bind(tree, root + tree)
    kernel.make_tree_readonly(root + tree)


def _bind(source: str, target: str) -> None:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    if Path(source).is_dir():
        Path(target).mkdir(exist_ok=True)
    else:
        Path(target).touch()
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)


def _scratch(plan: JailSpec, root: str) -> None:
    Path(root + "/scratch").mkdir()
    options = f"size={plan.scratch_mb}m,nr_inodes=4096,mode=1777"
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("tmpfs", root + "/scratch", "tmpfs", flags, options)


def become_nobody(plan: JailSpec, number: int) -> str:
    """Take a user of this worker's own (root only), and give up every capability.

    Where only root can reach the interpreter, the real user alone changes: the limit on threads counts by that one.
    """
    if os.getuid() == 0:
        uid = FIRST_UID + number % 4096
        effective = uid if _reachable_by_others(plan.readable) else 0
        with contextlib.suppress(OSError):  # there is no such folder in namespaces
            os.chown(plan.scratch, effective, effective)
        with contextlib.suppress(OSError):  # a container may know no such user
            os.setgroups([])
            os.setresgid(effective, effective, effective)
            os.setresuid(uid, effective, effective)
    kernel.drop_capabilities()
    return "own user" if os.geteuid() == os.getuid() >= FIRST_UID else "no capabilities"


def _reachable_by_others(paths: tuple[str, ...]) -> bool:
    folders = {str(parent) for path in paths for parent in Path(path).parents}
    return all(os.stat(folder).st_mode & 0o001 for folder in folders if os.path.isdir(folder))


def address_space() -> tuple[int, int]:
    """Bytes of address space in use, and of these for data: what the libraries map before the student's code uses
    any.
    """
    pages = Path("/proc/self/statm").read_text().split()
    return int(pages[0]) * resource.getpagesize(), int(pages[5]) * resource.getpagesize()


def limit(plan: JailSpec, in_use: tuple[int, int]) -> None:
    """Resource limits that hold for the worker as a whole; the address space `in_use` is not counted."""
    megabyte = 1 << 20
    limits = {
        resource.RLIMIT_CPU: plan.cpu_s,
        resource.RLIMIT_FSIZE: plan.scratch_mb * megabyte,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NPROC: 512,
    }
    if plan.cuda:  # it reserves more address space than any machine has
        limits[resource.RLIMIT_DATA] = in_use[1] + (plan.memory_mb + CUDA_HOST_MB) * megabyte
    else:
        limits[resource.RLIMIT_AS] = in_use[0] + plan.memory_mb * megabyte
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def close_descriptors(keep: tuple[int, ...]) -> None:
    """Close every descriptor but these; the standard streams lead nowhere."""
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    low = 3
    for descriptor in (*sorted(keep), 1 << 16):
        os.closerange(low, descriptor)
        low = descriptor + 1


def enter(plan: JailSpec, bpf: bytes, namespaced: bool, number: int) -> list[str]:
    """Apply every layer to this process; returns what was reached, in words.

    `number` tells this worker's user from another's. The parent's death is bound last but before seccomp, since
    changing the user would undo it.
    """
    os.umask(0o022)
    reached, in_use = [], address_space()
    if namespaced:
        try:
            build_root(plan)
        except OSError as error:
            raise NamespacesRefusedError(str(error)) from None
        reached.append("namespaces")
    os.chdir("/scratch" if namespaced else plan.scratch)
    if "limits" in plan.layers:
        limit(plan, in_use)
        reached.append("limits")
    if "user" in plan.layers:
        reached.append(become_nobody(plan, number))
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if "landlock" in plan.layers and kernel.landlock_abi():
        readable = [*plan.readable, "/proc"] if namespaced else list(plan.readable)
        reached.append(f"Landlock {kernel.landlock(readable, [os.getcwd()], list(_DEVICES), _cuda_devices(plan))}")
    if "seccomp" in plan.layers and bpf:
        kernel.install_seccomp(bpf)
        reached.append("seccomp")
    return reached
