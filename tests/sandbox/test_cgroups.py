"""A zygote and its workers are in a control group where there is one; it bounds what the other limits don't see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.watched import is_alive

from autograder.records import Limits
from autograder.sandbox import cgroups
from autograder.sandbox.cgroups import Group, Parent
from autograder.sandbox.worker import Worker, zygote

A_TEST, STILL_IN = f"ptqlab-a-test-{os.getpid()}", f"ptqlab-still-in-{os.getpid()}"  # no other run's groups
CONTROLS = {
    "v1": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "pids.max", "cgroup.procs"),
    "v2": ("memory.max", "memory.swap.max", "pids.max", "cgroup.procs"),
}


def usable() -> bool:
    """Whether this machine lets this user make groups for memory; tried in another process."""
    program = "import os; from autograder.sandbox.cgroups import Group; g = Group(f'ptqlab-{os.getpid()}'); print(g.controllers()); g.leave()"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    return "memory" in done.stdout and "pids" in done.stdout


groups = pytest.mark.skipif(not usable(), reason="no control groups for this user on this machine")


def run_in_a_group(program: str) -> subprocess.CompletedProcess[str]:
    """A process that enters a group of at most 114 MB and 20 processes, and runs a program."""
    head = f"from autograder.sandbox import cgroups\ncgroups.SPARE_MB = 50\ncgroups.MOST_PIDS = 20\ngroup = cgroups.Group('{A_TEST}')\n"
    whole = f"{head}group.limit(64)\nimport os\nif not os.fork():\n    {program}\n    os._exit(0)\nprint(os.wait()[1])\ngroup.leave()\n"
    return subprocess.run([sys.executable, "-P", "-c", whole], capture_output=True, text=True)


@groups
@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("b'x' * (20 << 20)", 0),
        ("b'x' * (200 << 20)", signal.SIGKILL),
        ("import mmap; m = mmap.mmap(-1, 200 << 20); [m.write(b'x' * (1 << 20)) for _ in range(200)]", signal.SIGKILL),
        (
            "import threading, time; [threading.Thread(target=time.sleep, args=(600,), daemon=True).start() for _ in range(10)]",
            0,
        ),
        (
            "import threading, time; [threading.Thread(target=time.sleep, args=(600,), daemon=True).start() for _ in range(30)]",
            256,
        ),
    ],
    ids=["little memory", "much memory", "much shared memory", "few threads", "many threads"],
)
def test_memory_and_processes_are_bounded_for_root_too(program: str, status: int) -> None:
    done = run_in_a_group(program)
    assert done.stdout.split() == [str(int(status))], done.stderr
    assert not [parent for parent in cgroups.parents() if (parent.folder / A_TEST).exists()]


@groups
def test_a_worker_is_in_the_group_of_its_zygote_and_the_grader_is_not() -> None:
    with Worker("def f(): return 1", Limits(memory_mb=300, scratch_mb=8)) as worker:
        worker.start()
        assert worker._process is not None
        name = os.path.basename(zygote().folder)
        inside = [Path(f"/proc/{pid}/cgroup").read_text() for pid in (worker._process.pid, zygote().process.pid)]
        assert [text.count(name) > 0 for text in inside] == [True, True]
        assert name not in Path("/proc/self/cgroup").read_text()
        assert worker.isolation.startswith("control group v")
        folders = [parent.folder / name for parent in cgroups.parents() if (parent.folder / name).is_dir()]
        sizes = [
            int((folder / file).read_text())
            for folder in folders
            for file in CONTROLS["v1"][:1] + CONTROLS["v2"][:1]
            if (folder / file).exists()
        ]
        assert sizes == [(300 + 8 + cgroups.SPARE_MB) << 20]


@groups
@pytest.mark.parametrize("way", ["closed", "killed"])
def test_no_group_is_left(way: str) -> None:
    with Worker("", Limits()) as worker:
        worker.start()
        name = os.path.basename(zygote().folder)
        folders = [parent.folder / name for parent in cgroups.parents() if (parent.folder / name).is_dir()]
        assert folders
        if way == "killed":
            os.kill(zygote().process.pid, signal.SIGKILL)
            zygote().process.wait(10)
    zygote().close()
    assert not [folder for folder in folders if folder.exists()]


@groups
@pytest.mark.parametrize("way", ["left", "removed by another"])
def test_who_is_still_in_a_group_that_ends_is_killed(way: str) -> None:
    """A worker whose waiting parent was killed, say: a zygote neither knows of it nor waits for it."""
    program = (
        f"import os, subprocess, sys; from autograder.sandbox import cgroups; group = cgroups.Group('{STILL_IN}')\n"
        "print(subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL).pid, flush=True); sys.stdin.read()\n"
        "group.leave()"
    )
    zygote = subprocess.Popen([sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert zygote.stdin is not None
    assert zygote.stdout is not None
    inside = int(zygote.stdout.readline())
    folders = [parent.folder / STILL_IN for parent in cgroups.parents()]
    assert any(str(inside) in (folder / "cgroup.procs").read_text().split() for folder in folders if folder.is_dir())
    if way == "left":
        zygote.stdin.close()
    else:
        zygote.kill()
        cgroups.remove(STILL_IN)
    zygote.wait()
    zygote.stdout.close()
    assert not [folder for folder in folders if folder.exists()]
    assert not is_alive(inside)


# --- which groups: a tree of plain files, in which none of ours is ever bounded -------------------------------------


class Tree:
    """What /proc says of this process's groups, and a cgroup file system as far as it is looked at."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.files = folder, {"mountinfo": "", "cgroup": ""}
        read = Path.read_text
        monkeypatch.setattr(
            Path,
            "read_text",
            lambda path, *more: self.files[path.name] if path.parent == Path("/proc/self") else read(path, *more),
        )
        make = Path.mkdir
        monkeypatch.setattr(Path, "mkdir", lambda path, *more, **named: (make(path, *more, **named), self.fill(path)))
        monkeypatch.setattr(Path, "rmdir", lambda path: ([file.unlink() for file in path.iterdir()], os.rmdir(path)))
        self.controls: tuple[str, ...] = ()

    def fill(self, folder: Path) -> None:
        for name in self.controls:
            (folder / name).touch()

    def v2(self, own: str, **handed_down: str) -> None:
        """Our group, and what the groups on the way to it hand to their children ("top": the mount itself)."""
        self.controls = CONTROLS["v2"]
        self.files["mountinfo"] = f"33 24 0:27 / {self.folder} rw - cgroup2 cgroup2 rw\n"
        self.files["cgroup"] = f"0::{own}\n"
        folder = self.folder
        for part in ("top", *own.strip("/").split("/")):
            folder = folder if part == "top" else folder / part
            os.makedirs(folder, exist_ok=True)
            (folder / "cgroup.subtree_control").write_text(handed_down.get(part, ""))
            (folder / "cgroup.procs").touch()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    return Tree(tmp_path / "groups", monkeypatch)


def test_v2_takes_the_nearest_group_that_hands_both_down(tree: Tree) -> None:
    """A group in which there are processes, as a scope of systemd's is, hands nothing down: its parent does."""
    tree.v2("/user/app/run.scope", top="cpu memory pids", user="memory pids", app="cpu memory pids")
    assert [parent.folder for parent in cgroups.parents()] == [tree.folder / part for part in ("user/app", "user", "")]
    group = Group("ptqlab-x")
    made = tree.folder / "user/app/ptqlab-x"
    assert group.words == ["control group v2"]
    group.limit(100)
    assert (made / "memory.max").read_text().endswith(str((100 + cgroups.SPARE_MB) << 20))
    assert (made / "memory.swap.max").read_text() == "0"
    assert (made / "pids.max").read_text() == str(cgroups.MOST_PIDS)
    assert (made / "cgroup.procs").read_text() == str(os.getpid())
    group.leave()
    assert not made.exists()
    assert (tree.folder / "user/app/cgroup.procs").read_text() == str(os.getpid())


@pytest.mark.parametrize("missing", ["memory.max", "pids.max", "cgroup.procs"])
def test_a_group_that_bounds_only_half_is_not_used_and_not_left(tree: Tree, missing: str) -> None:
    tree.v2("/app/run.scope", app="memory pids")
    tree.controls = tuple(name for name in tree.controls if name != missing)
    group = Group("ptqlab-x")
    assert (group.words, group.refused) == ([], "v2: No such file or directory")
    assert not (tree.folder / "app/ptqlab-x").exists()
    group.limit(100)
    group.leave()


@pytest.mark.parametrize("handed_down", ["", "cpu", "memory"])
def test_without_both_controllers_there_is_no_v2_group(tree: Tree, handed_down: str) -> None:
    tree.v2("/app/run.scope", app=handed_down)
    assert cgroups.parents() == []
    assert (Group("ptqlab-x").words, Group("ptqlab-x").refused) == ([], "")


def test_v1_has_a_group_for_each_controller_and_a_container_sees_its_own_as_the_root(tree: Tree) -> None:
    tree.files["mountinfo"] = "".join(
        f"3{n} 24 0:2{n} /docker/abc {tree.folder / name} rw - cgroup cgroup rw,{name}\n"
        for n, name in enumerate(("memory", "pids", "cpu"))
    )
    tree.files["cgroup"] = "9:cpu:/docker/abc\n8:pids:/docker/abc\n4:memory:/docker/abc\n"
    for name in ("memory", "pids", "cpu"):
        (tree.folder / name).mkdir(parents=True)
    assert cgroups.parents() == [Parent("v1", (name,), tree.folder / name) for name in ("pids", "memory")]
    tree.controls = CONTROLS["v1"]
    group = Group("ptqlab-x")
    assert group.words == ["control group v1"]
    group.limit(100)
    size = str((100 + cgroups.SPARE_MB) << 20)
    assert (tree.folder / "memory/ptqlab-x/memory.limit_in_bytes").read_text().endswith(size)
    assert (tree.folder / "memory/ptqlab-x/memory.memsw.limit_in_bytes").read_text().endswith(size)
    assert (tree.folder / "pids/ptqlab-x/pids.max").read_text() == str(cgroups.MOST_PIDS)


def test_what_a_killed_zygote_leaves_is_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers are about to end; one that does not is left to itself after a second."""
    tree.v2("/app/run.scope", app="memory pids")
    left = tree.folder / "app/ptqlab-x"
    left.mkdir()
    busy, rmdir = [True, True], Path.rmdir
    monkeypatch.setattr(Path, "rmdir", lambda path: os.rmdir(path / "busy") if busy and busy.pop() else rmdir(path))
    cgroups.remove("ptqlab-x")
    assert not left.exists()
    left.mkdir()
    busy[:] = [True] * 10_000
    monkeypatch.setattr(cgroups, "LEFT_S", 0.05)
    cgroups.remove("ptqlab-x")
    assert left.exists()
