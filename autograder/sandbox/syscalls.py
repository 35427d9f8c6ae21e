"""The system calls that a worker may make: an allow-list, compiled by libseccomp once per zygote.

What is not listed fails with EPERM, so that a forbidden act is a Python exception and not a death.
No sockets, no new processes (threads only), no exec, no signals, no tracing, no mounts, no keys, no bpf,
no io_uring, no namespaces, no System V or POSIX message queues, no memory files (they escape the memory limit).

Landlock doesn't watch modes and times, and before its ABI 3 not truncation: without namespaces a worker could change
these on whatever its user owns. So changing modes and times does nothing here (shutil.copy keeps working), and no
file is truncated that is not opened for writing.

Files of libraries can be locked by who may only read them, and everybody else can tell: a way to pass word to another
worker. A lock of a worker's own, which is one process, means nothing; so locking does nothing, too.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import socket
import tempfile
from collections.abc import Iterable
from typing import Any

FREE = """
read write readv writev pread64 pwrite64 preadv pwritev lseek close close_range
stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64
getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 ftruncate
fsync fdatasync sync_file_range umask fadvise64 sendfile copy_file_range statfs fstatfs
dup dup2 dup3 pipe pipe2 poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait
eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime
munmap mprotect mremap madvise brk msync mincore mlock munlock membarrier mbind get_mempolicy set_mempolicy
futex futex_waitv set_robust_list get_robust_list rseq set_tid_address sched_yield sched_getaffinity
sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority
exit exit_group restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending sigaltstack
getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid
clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getrusage getcpu getitimer setitimer alarm
sysinfo uname getrlimit getrandom arch_prctl capget
""".split()

READER = """
read write readv pread64 lseek fstat newfstatat close mmap munmap mremap mprotect brk madvise futex
rt_sigreturn rt_sigprocmask clock_gettime gettimeofday getpid gettid tgkill exit exit_group
""".split()  # of a child that reads a file: nothing is opened, started or sent

IGNORED = "flock chmod fchmod fchmodat fchmodat2 utime utimes futimesat utimensat".split()
WITHOUT_ATTRIBUTES = """
getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr
""".split()

MAP_TYPE, MAP_SHARED_VALIDATE = 0xF, 3
MAPPED = (mmap.MAP_PRIVATE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.MAP_SHARED, MAP_SHARED_VALIDATE)
CLONE_THREAD, CLONE_NAMESPACES = 0x10000, 0x7E020080
PRCTL_FREE = (15, 16, 0x53564D41, 21, 3, 39)  # set/get name, set_vma, get seccomp, get dumpable, get no_new_privs
FCNTL_FREE = (0, 1, 2, 3, 4, 1030, 1032, 1033, 1034)  # dup, flags, pipe size, seals
FCNTL_IGNORED = (6, 7, 37, 38)  # set a lock, a process's or an open file's, or wait for one
TERMINAL_QUERIES = (
    0x5401,
    0x541B,
    0x5451,
    0x5450,
    0x5413,
    0x5421,
)  # TCGETS FIONREAD FIOCLEX FIONCLEX TIOCGWINSZ FIONBIO


def compile_filter(cuda: bool = False) -> bytes:
    """The filter as BPF instructions (8 bytes each). Needs pyseccomp and libseccomp."""
    import pyseccomp as seccomp  # noqa: PLC0415 - the only file that needs it

    policy = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
    for name in FREE:
        _allow(seccomp, policy, name)
    _answer(seccomp, policy, IGNORED, 0)
    _answer(seccomp, policy, WITHOUT_ATTRIBUTES, errno.ENOTSUP)
    # it takes blocks beyond a file's length, which RLIMIT_FSIZE does not see; posix_fallocate writes zeros instead
    _answer(seccomp, policy, ("fallocate",), errno.EOPNOTSUPP)
    # memory may be shared only where a file holds it: else it would be in nobody's account (RssAnon) of what a call
    # takes
    for flags in (*MAPPED, *((mmap.MAP_SHARED | mmap.MAP_ANONYMOUS,) if cuda else ())):  # a driver may want it
        _allow(seccomp, policy, "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, MAP_TYPE | mmap.MAP_ANONYMOUS, flags))
    # these hide their flags from a filter; ENOSYS makes glibc use clone and openat, whose flags can be read
    _answer(seccomp, policy, ("clone3", "openat2"), errno.ENOSYS)
    flags = CLONE_THREAD | CLONE_NAMESPACES
    _allow(seccomp, policy, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flags, CLONE_THREAD))
    for name, position in (("open", 1), ("openat", 2)):
        _allow(seccomp, policy, name, seccomp.Arg(position, seccomp.MASKED_EQ, os.O_TRUNC, 0))
        _allow(seccomp, policy, name, seccomp.Arg(position, seccomp.MASKED_EQ, os.O_ACCMODE, os.O_WRONLY))
        _allow(seccomp, policy, name, seccomp.Arg(position, seccomp.MASKED_EQ, os.O_ACCMODE, os.O_RDWR))
    # a connected pair inside the worker, as asyncio's event loop wants one: a stream has no other address to send to
    pair = (seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX), seccomp.Arg(1, seccomp.MASKED_EQ, 0xF, socket.SOCK_STREAM))
    _allow(seccomp, policy, "socketpair", *pair)
    for name in ("sendto", "recvfrom"):
        _allow(seccomp, policy, name)
    _allow(seccomp, policy, "prlimit64", seccomp.Arg(2, seccomp.EQ, 0))
    for option in PRCTL_FREE:
        _allow(seccomp, policy, "prctl", seccomp.Arg(0, seccomp.EQ, option))
    for command in FCNTL_FREE:
        _allow(seccomp, policy, "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    for command in FCNTL_IGNORED:
        policy.add_rule(seccomp.ERRNO(0), "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    if cuda:  # the driver speaks through ioctl on /dev/nvidia*, the only devices that the jail shows it
        _allow(seccomp, policy, "ioctl")
    else:
        for request in TERMINAL_QUERIES:
            _allow(seccomp, policy, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    return _exported(policy)


def compile_reader_filter() -> bytes:
    """The same for a child that reads a file (`reader_main`), which is given all it needs opened."""
    import pyseccomp as seccomp  # noqa: PLC0415 - the only file that needs it

    policy = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
    for name in READER:
        _allow(seccomp, policy, name)
    return _exported(policy)


def _exported(policy: Any) -> bytes:
    with tempfile.TemporaryFile() as file:
        policy.export_bpf(file)
        file.seek(0)
        return file.read()


def _answer(seccomp: Any, policy: Any, names: Iterable[str], code: int) -> None:
    """Let these calls do nothing and return `code` (0: as if they had worked)."""
    for name in names:
        with contextlib.suppress(RuntimeError, OSError, ValueError):
            policy.add_rule(seccomp.ERRNO(code), name)


def _allow(seccomp: Any, policy: Any, name: str, *conditions: object) -> None:
    try:
        policy.add_rule(seccomp.ALLOW, name, *conditions)
    except (RuntimeError, OSError, ValueError):  # a call that this architecture or libseccomp does not know
        if conditions:
            raise
