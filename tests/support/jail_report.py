"""What a worker can do here, as JSON: run by test_jail.py as root, as an ordinary user, and in containers.

`held` (with the argument "layers"): for several sets of layers, which items of the floor the worker's probes saw refused.
`acts`: what a submission's code got when it tried each forbidden act itself, under every layer there is.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from autograder.records import Limits
from autograder.sandbox import jail, process
from autograder.sandbox.worker import SandboxPolicy, Worker, zygote
from autograder.testing.proxy import Student

UNSEEN_BY_LANDLOCK = ("truncate", "open and truncate", "chmod", "utime", "link", "symlink")  # before its ABI 3, or ever
FEW = Limits(memory_mb=2048, scratch_mb=8)

SUBMISSION = '''
import ctypes, errno, fcntl, os, resource, signal, socket, stat, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)

def tried(act):
    try:
        return f"done: {act()!r}"[:200]
    except BaseException as error:
        return type(error).__name__ + (f" {errno.errorcode.get(error.errno)}" if isinstance(error, OSError) else "")

def read(paths):
    return {path: tried(lambda: open(path, "rb").read(4) if not os.path.isdir(path) else os.listdir(path)) for path in paths}

def write(folders):
    def put(folder):
        with open(folder + "/forged", "w") as file: file.write("x")
    return {folder: tried(lambda: put(folder)) for folder in folders}

def spoil(path, names):
    acts = {
        "open to write": lambda: os.close(os.open(path, os.O_WRONLY)),
        "open to append": lambda: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)),
        "truncate": lambda: os.truncate(path, 0),
        "open and truncate": lambda: os.close(os.open(path, os.O_RDONLY | os.O_TRUNC)),
        "unlink": lambda: os.unlink(path),
        "rename": lambda: os.rename(path, path + "2"),
        "link": lambda: os.link(path, "linked"),
        "symlink": lambda: os.symlink(path, "linked"),
        "chmod": lambda: os.chmod(path, 0),
        "utime": lambda: os.utime(path, (0, 0)),
    }
    return {name: tried(acts[name]) for name in names or acts}

def network():
    def connect(family, address, kind=socket.SOCK_STREAM):
        with socket.socket(family, kind) as s: s.connect(address)
    return {
        "TCP": tried(lambda: connect(socket.AF_INET, ("127.0.0.1", 9))),
        "UDP": tried(lambda: connect(socket.AF_INET, ("127.0.0.1", 9), socket.SOCK_DGRAM)),
        "TCP over IPv6": tried(lambda: connect(socket.AF_INET6, ("::1", 9))),
        "a name": tried(lambda: socket.getaddrinfo("localhost", 80)),
        "a Unix socket": tried(lambda: connect(socket.AF_UNIX, "/run/x")),
        "an abstract socket": tried(lambda: connect(socket.AF_UNIX, "\\0x")),
        "a pair of datagram sockets": tried(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
        "netlink": tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
        "packets": tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    }

def processes(host):
    return {
        "fork": tried(os.fork), "a subprocess": tried(lambda: subprocess.run(["/bin/true"])),
        "a spawn": tried(lambda: os.posix_spawn(sys.executable, [sys.executable], {})),
        "exec": tried(lambda: os.execv(sys.executable, [sys.executable, "-c", "0"])),
        "a signal to the grader": tried(lambda: os.kill(host, 0)),
        "a signal to all": tried(lambda: os.kill(-1, 0)),
        "a signal to the group": tried(lambda: os.killpg(0, 0)),
        "a handle of the grader": tried(lambda: os.pidfd_open(host)),
    }

def limits():
    def raised(kind):
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return {name: tried(lambda: raised(getattr(resource, name))) for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE")}

def system_calls(numbers):
    """errno of each call, made with nothing but zeros."""
    found = {}
    for name, number in numbers.items():
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0, 0)
        found[name] = errno.errorcode.get(ctypes.get_errno(), "done") if result < 0 else "done"
    return found

def self():
    caps = (ctypes.c_uint32 * 6)()
    libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), caps)
    links = {}
    for fd in range(1024):
        try: mode = os.fstat(fd)
        except OSError: continue
        flags = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
        links[fd] = "null" if mode.st_rdev == os.makedev(1, 3) else f"pipe {flags}" if stat.S_ISFIFO(mode.st_mode) else "other"
    return {
        "users": list(os.getresuid()), "groups": os.getgroups(), "capabilities": list(caps), "files": links,
        "no_new_privs": libc.prctl(39, 0, 0, 0, 0), "seccomp": libc.prctl(21, 0, 0, 0, 0),
        "environment": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(), "threads": threading.active_count(),
    }

def many_threads():
    threading.stack_size(64 << 10)
    stop, started = threading.Event(), 0
    try:
        while started < 700:
            threading.Thread(target=stop.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    stop.set()
    return started
'''


def held(layers: tuple[str, ...], secret: str) -> dict[str, bool]:
    """What the probes of a worker with these layers saw."""
    worker = process.Process(FEW, layers, (secret,), SandboxPolicy().foreign)
    worker.kill()
    return dict(worker.hello["held"])


def layer_sets() -> list[tuple[str, ...]]:
    every = jail.LAYERS
    without = [
        tuple(x for x in every if x not in gone) for gone in [(), *((a, b) for a in every for b in every if a <= b)]
    ]
    return [*without, *((layer,) for layer in every), ()]


def calls_that_matter() -> dict[str, int]:
    """Numbers of the calls that only a filter refuses to root."""
    import pyseccomp

    names = """
        socket socketpair bind connect accept accept4 listen sendmsg recvmsg sendmmsg recvmmsg
        vfork execve execveat unshare setns mount umount2 pivot_root chroot move_mount fsopen open_tree mount_setattr
        ptrace process_vm_readv process_vm_writev kcmp kill tkill tgkill rt_sigqueueinfo pidfd_open pidfd_getfd
        pidfd_send_signal bpf io_uring_setup io_uring_enter userfaultfd keyctl add_key request_key perf_event_open
        memfd_create memfd_secret shmget shmat semget msgget mq_open open_by_handle_at name_to_handle_at truncate link
        linkat symlink symlinkat mknod mknodat chown fchown lchown fchownat setuid setgid setreuid setresuid setresgid
        setgroups setfsuid capset seccomp landlock_create_ruleset personality setrlimit setpriority sched_setaffinity
        sched_setscheduler ioprio_set reboot swapon init_module finit_module delete_module kexec_load syslog acct
        settimeofday clock_settime sethostname setdomainname quotactl fanotify_init inotify_init inotify_init1 splice tee
        vmsplice process_madvise move_pages migrate_pages iopl ioperm setsid setpgid
    """.split()
    found = {}
    for name in names:
        try:
            found[name] = int(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name))
        except (RuntimeError, OSError, ValueError):
            continue
    return {name: number for name, number in found.items() if number >= 0}


def acts(worker: Worker, secret: str, foreign: str) -> dict[str, object]:
    student, me = Student(worker), os.getpid()
    ours = [
        f"/proc/{me}/{name}" for name in ("environ", "maps", "mem", "cmdline", "fd", "cwd", "root/etc/passwd", "stat")
    ]
    places = [
        "/",
        "/etc",
        "/etc/passwd",
        "/etc/shadow",
        "/root",
        "/home",
        "/tmp",
        "/var",
        "/sys",
        "/proc/1/environ",
        "/dev",
    ]
    package = str(Path(process.__file__).parent)
    return {
        "isolation": worker.isolation,
        "read": student.read([secret, str(Path(secret).parent), foreign, *ours, *places]),
        "write": student.write(
            ["/", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/proc", package, foreign, "..", zygote().folder]
        ),
        "network": student.network(),
        "processes": student.processes(me),
        "limits": student.limits(),
        "self": {key: value for key, value in student.self().items() if key != "files"},
        "files": list(student.self()["files"].values()),
        "threads": student.many_threads(),
    }


def spoiled(folder: str, layers: tuple[str, ...], names: tuple[str, ...] = ()) -> dict[str, object]:
    """What happens to a file that anybody may write, in a tree that the worker may read."""
    victim = Path(folder, "victim")
    victim.write_text("whole")
    victim.chmod(0o666)
    os.utime(victim, (1e9, 1e9))
    with Worker(SUBMISSION, FEW, SandboxPolicy(layers=layers, required=False)) as worker:
        tried = Student(worker).spoil(str(victim), names)
    state = victim.stat()
    return {
        "tried": tried,
        "left": [victim.read_text(), oct(state.st_mode & 0o777), state.st_mtime],
        "names": os.listdir(folder),
    }


def with_readable(folder: str) -> dict[str, object]:
    trees = (*jail.library_trees(Path(process.__file__).resolve().parent.parent), folder)
    ordinary, jail.library_trees = jail.library_trees, lambda package: trees  # type: ignore[assignment]
    try:
        return {
            "all": spoiled(folder, jail.LAYERS),
            "without namespaces": spoiled(folder, jail.LAYERS[1:]),
            "seccomp": spoiled(folder, ("seccomp",), UNSEEN_BY_LANDLOCK),
        }
    finally:
        jail.library_trees = ordinary


def filtered_calls() -> dict[str, str]:
    """Errors of the calls under the filter alone: nothing else refuses them to root."""
    with Worker(SUBMISSION, FEW, SandboxPolicy(layers=("seccomp",), required=False)) as worker:
        return dict(Student(worker).system_calls(calls_that_matter()))


def threads_without_a_user() -> int:
    """How many threads a worker gets that has no user of its own."""
    with Worker(SUBMISSION, FEW, SandboxPolicy(layers=("landlock", "seccomp", "limits"))) as worker:
        return int(Student(worker).many_threads())


def main() -> None:
    """Print the report."""
    os.environ["PTQLAB_TOKEN"] = "of the grader"
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "test_hidden.py")
        secret.write_text("assert 41 + 1")
        secret.chmod(0o644)
        os.chmod(folder, 0o777)
        sets = layer_sets() if "layers" in sys.argv else []
        report = {"held": {" ".join(layers): held(layers, str(secret)) for layers in sets}}
        policy = SandboxPolicy(secrets=(str(secret), folder))
        with Worker(SUBMISSION, FEW, policy) as worker:
            worker.start()
            report["acts"] = acts(worker, str(secret), folder)  # type: ignore[assignment]
        report["left"] = sorted(os.listdir(folder))  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        report["spoil"] = with_readable(folder)  # type: ignore[assignment]
    report["calls"] = filtered_calls()  # type: ignore[assignment]
    report["threads"] = threads_without_a_user()  # type: ignore[assignment]
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
