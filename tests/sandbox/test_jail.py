"""The jail: every item of the isolation floor is held, each layer that alone holds one can be seen to, and a probe can fail.

jail_report.py is run five times: by whoever runs the tests, as an ordinary user, in a container that refuses
namespaces (as both), and where namespaces are given but nothing can be mounted in them.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support import SUPPORT, ordinary_user

from autograder.records import Limits
from autograder.sandbox import cgroups, jail, kernel, launcher, probes
from autograder.sandbox.worker import IsolationError, SandboxPolicy, Worker

REPORT, CONTAINER = str(SUPPORT / "jail_report.py"), str(SUPPORT / "container.py")


def run_here(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", *arguments], capture_output=True, text=True, check=False, cwd="/")


PLACES: dict[str, Callable[[], subprocess.CompletedProcess[str]]] = {
    "here": lambda: run_here([REPORT, "layers"]),
    "ordinary user": lambda: ordinary_user.run([REPORT, "layers"]),
    "container": lambda: run_here([CONTAINER, "namespaces", REPORT]),
    "ordinary user in a container": lambda: ordinary_user.run([CONTAINER, "namespaces", REPORT]),
    "no mounts": lambda: run_here([CONTAINER, "mounts", REPORT]),
}
WITH_NAMESPACES = ("here", "ordinary user")


@cache
def report(place: str) -> dict[str, Any]:
    done = PLACES[place]()
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def examined(places: Iterable[str]) -> list[Any]:
    """Parameters: a landing examines the jail here and in one of the other places."""
    marks = {place: pytest.mark.sampled("elsewhere", 1, place) for place in places if place != "here"}
    return [pytest.param(place, marks=marks.get(place, ())) for place in places]


@pytest.fixture(params=examined(PLACES))
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def without(*layers: str) -> str:
    return " ".join(layer for layer in jail.LAYERS if layer not in layers)


# ---------------------------------------------------------------------------------- which layer holds what

OPEN: dict[str, set[str]] = {  # by the layers that are left, what is no longer held
    without(): set(),
    without("user"): set(),
    without("namespaces"): set(),  # Landlock and seccomp hold everything without them
    without("landlock"): set(),  # and they without Landlock
    without("seccomp"): {"local sockets", "processes", "programs"},
    without("limits"): {"memory", "cpu"},
    without("namespaces", "landlock"): {"secrets", "foreign files"},
    without("namespaces", "seccomp"): {"network", "local sockets", "processes", "programs"},
    without("landlock", "seccomp"): {"local sockets", "processes", "programs"},
    without("namespaces", "limits"): {"memory", "cpu"},
    without("landlock", "limits"): {"memory", "cpu"},
    without("seccomp", "limits"): {"local sockets", "processes", "programs", "memory", "cpu"},
    "namespaces": {"local sockets", "processes", "programs", "memory", "cpu"},
    "landlock": {"network", "local sockets", "processes", "programs", "memory", "cpu"},
    "seccomp": {"secrets", "foreign files", "memory", "cpu"},
    "limits": {"network", "local sockets", "secrets", "foreign files", "processes", "programs", "signals"},
    "user": set(probes.FLOOR),
    "": set(probes.FLOOR),
}


@pytest.mark.skipif(kernel.landlock_abi() < 6, reason="Landlock holds signals from ABI 6 on: the table is for that")
@pytest.mark.parametrize("where", examined(WITH_NAMESPACES))
@pytest.mark.parametrize("layers", OPEN, ids=lambda layers: layers or "no layer")
def test_what_is_held_by_which_layers(layers: str, where: str) -> None:
    """With the layers named, exactly these items are not held; with none, no item is: each probe can fail."""
    held = report(where)["held"][layers]
    assert {item for item in probes.FLOOR if held[item] is not True} == OPEN[layers]


def test_each_layer_but_the_user_holds_something_that_another_set_leaves_open() -> None:
    for layer in ("namespaces", "landlock", "seccomp", "limits"):
        assert OPEN[layer] < OPEN[""]


# ---------------------------------------------------------------------------------- what a submission gets

REFUSED = (
    "PermissionError EACCES",
    "PermissionError EPERM",
    "FileNotFoundError ENOENT",
    "OSError EROFS",
    "NotADirectoryError ENOTDIR",
)
OWN_PROC = {"/proc/1/environ"}  # in a process namespace the first process is the worker itself


def test_the_floor_is_reached(place: str) -> None:
    layers = ["limits", "Landlock", "seccomp"] + (["namespaces"] if place in WITH_NAMESPACES else [])
    assert all(layer in report(place)["acts"]["isolation"] for layer in layers)
    assert ("namespaces" in report(place)["acts"]["isolation"]) == (place in WITH_NAMESPACES)


def test_nothing_of_others_can_be_read(place: str) -> None:
    """Not a hidden test, not its folder, not the grader's environment, memory or files, not a user's home."""
    found = report(place)["acts"]["read"]
    assert len(found) > 15
    allowed = OWN_PROC if place in WITH_NAMESPACES else set()
    assert {path: got for path, got in found.items() if got not in REFUSED and path not in allowed} == {}


def test_nothing_can_be_written_outside_the_scratch_folder(place: str) -> None:
    found = report(place)["acts"]["write"]
    assert len(found) == 10
    assert {path: got for path, got in found.items() if got not in REFUSED} == {}
    assert report(place)["left"] == ["test_hidden.py"]


@pytest.mark.parametrize("layers", ["all", "without namespaces", "seccomp"])
def test_a_file_that_may_be_read_can_not_be_changed(place: str, layers: str) -> None:
    """Neither its content nor its name, mode or time, also where Landlock does not look."""
    found = report(place)["spoil"][layers]
    assert found["left"] == ["whole", "0o666", 1e9]
    assert found["names"] == ["victim"]
    done = {name for name, got in found["tried"].items() if got not in REFUSED}
    assert done == {"chmod", "utime"}  # which say that they worked, and do nothing


def test_no_network_and_no_sockets(place: str) -> None:
    found = report(place)["acts"]["network"]
    assert len(found) == 9
    assert {name for name, got in found.items() if got != "PermissionError EPERM"} == {"a name"}
    assert found["a name"].startswith("gaierror")


def test_no_processes_programs_or_signals(place: str) -> None:
    found = report(place)["acts"]["processes"]
    assert len(found) == 8
    assert {name: got for name, got in found.items() if got != "PermissionError EPERM"} == {}


def test_limits_can_not_be_raised(place: str) -> None:
    assert set(report(place)["acts"]["limits"].values()) <= {"ValueError", "PermissionError EPERM"}
    assert len(report(place)["acts"]["limits"]) == 3


def test_the_filter_alone_refuses_what_no_library_needs(place: str) -> None:
    """Also to root with every capability: sockets, processes, tracing, keys, memory files, mounts, clocks, modules."""
    found = report(place)["calls"]
    assert {
        "ptrace",
        "memfd_create",
        "bpf",
        "keyctl",
        "setuid",
        "mount",
        "truncate",
        "shmget",
        "tgkill",
    } <= found.keys()
    assert {name: got for name, got in found.items() if got not in ("EPERM", "ENOSYS")} == {}


def test_the_worker_has_two_pipes_and_nothing_else(place: str) -> None:
    assert report(place)["acts"]["files"] == ["null", "null", "null", "pipe 0", "pipe 1"]


def test_the_worker_is_nobody(place: str) -> None:
    itself = report(place)["acts"]["self"]
    assert itself["capabilities"] == [0] * 6
    assert itself["no_new_privs"] == 1
    assert itself["seccomp"] == 2
    assert itself["users"][0] != 0
    assert itself["groups"] == [] or os.getuid() != 0
    assert itself["threads"] == 1


def test_the_worker_knows_nothing_of_the_graders_environment(place: str) -> None:
    environment = report(place)["acts"]["self"]["environment"]
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    libraries = {"HF_HUB_OFFLINE", "TRANSFORMERS_VERBOSITY", "TORCHINDUCTOR_CACHE_DIR"}
    libraries |= {"PYTORCH_NVML_BASED_CUDA_CHECK"}
    own = {"PYTHONHASHSEED", "LANG", "PATH", "HOME", "TMPDIR"}
    assert environment.keys() - set(launcher.PASSED_ON) == own | threads | libraries
    assert (
        environment["HOME"]
        == environment["TMPDIR"]
        == environment["TORCHINDUCTOR_CACHE_DIR"]
        == report(place)["acts"]["self"]["cwd"]
    )


def test_threads_are_limited_also_for_root(place: str) -> None:
    assert 100 < report(place)["acts"]["threads"] <= 512


@pytest.mark.sampled("elsewhere", 1, "container")
@pytest.mark.skipif(os.getuid() != 0, reason="a limit on processes binds everybody but root")
def test_it_is_the_user_of_its_own_that_limits_roots_threads() -> None:
    """Root without one has as many as it wants, or as its control group allows."""
    assert report("container")["threads"] in (700, cgroups.MOST_PIDS - 2)


# ---------------------------------------------------------------------------------- below the floor


@pytest.fixture
def another_zygote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Start the next zygote with a line of code before its own; afterwards an ordinary one comes again."""
    kept = launcher._ZYGOTE[:]
    launcher._ZYGOTE.clear()
    yield lambda line: monkeypatch.setattr(launcher, "_PROGRAM", f"{line}\n{launcher._PROGRAM}")
    for zygote in launcher._ZYGOTE:
        zygote.close()
    launcher._ZYGOTE[:] = kept


def refusal(layers: tuple[str, ...] = jail.LAYERS) -> str:
    with pytest.raises(IsolationError) as caught, Worker("x = 1", Limits(), SandboxPolicy(layers=layers)) as worker:
        worker.start()
    return str(caught.value)


CURE = "Run `ptqlab doctor` to see why, or accept the risk with --isolation=none."


@pytest.mark.parametrize("layers", [("limits",), jail.LAYERS[:-1], tuple(x for x in jail.LAYERS if x != "seccomp"), ()])
def test_below_the_floor_a_sentence_says_what_is_missing(layers: tuple[str, ...]) -> None:
    text = refusal(layers)
    missing = [probes.IN_WORDS[item] for item in probes.FLOOR if item in OPEN[" ".join(layers)]]
    assert text == f"Grading needs isolation that this machine does not give: {', '.join(missing)}. {CURE}"


def test_without_pyseccomp_a_sentence_says_how_to_install_it(another_zygote: Callable[[str], None]) -> None:
    another_zygote("import sys; sys.modules['pyseccomp'] = None")
    text = refusal()
    assert "no sockets of other programs, no new processes, no other programs (seccomp is not available" in text
    assert "install pyseccomp: pip install 'ptqlab[grade]'" in text
    assert text.endswith(CURE)


def test_without_libseccomp_a_sentence_says_how_to_install_it(another_zygote: Callable[[str], None]) -> None:
    another_zygote(
        "import ctypes.util; ctypes.util.find_library = lambda name: None if name == 'seccomp' else 'libc.so.6'"
    )
    text = refusal()
    assert "seccomp is not available (Unable to find libseccomp)" in text
    assert "apt-get install libseccomp2, dnf install libseccomp, or apk add libseccomp" in text


def test_without_namespaces_and_landlock_a_sentence_names_both(another_zygote: Callable[[str], None]) -> None:
    another_zygote(
        "from autograder.sandbox import jail, kernel\n"
        "kernel.landlock_abi = lambda: 0\n"
        "jail.new_namespaces = lambda plan: 'unshare: Operation not permitted'"
    )
    text = refusal()
    assert "no read of solutions or other submissions, no write outside its scratch" in text
    assert "namespaces are refused: unshare: Operation not permitted" in text
    assert "Landlock is not offered by this kernel" in text


def test_a_layer_that_fails_unexpectedly_is_below_the_floor(another_zygote: Callable[[str], None]) -> None:
    another_zygote("from autograder.sandbox import jail\ndef limit(*_): raise KeyError('odd')\njail.limit = limit")
    text = refusal()
    assert text.startswith("Grading needs isolation that this machine does not give: no network, ")
    assert "KeyError: 'odd'" in text


def test_namespaces_are_tried_once_and_then_done_without(another_zygote: Callable[[str], None]) -> None:
    """What a machine refuses it refuses to every worker: asking again would cost each of them a fork."""
    another_zygote("from autograder.sandbox import jail\njail.new_namespaces = lambda plan: 'refused'")
    for _ in range(2):
        with Worker("x = 1", Limits(), SandboxPolicy()) as worker:
            worker.start()
            assert "namespaces" not in worker.isolation
            assert "Landlock" in worker.isolation
    assert launcher.zygote().namespaces_refused == "refused"


def test_a_probe_that_raises_something_odd_is_not_taken_for_a_refusal() -> None:
    def odd() -> None:
        raise AttributeError("no such function here")

    with pytest.raises(AttributeError):
        probes._refused(odd)


def test_only_an_error_of_the_system_counts_as_refused() -> None:
    def refused() -> None:
        raise PermissionError(errno.EPERM, "no")

    assert probes._refused(refused) is True
    assert probes._refused(lambda: None) is False


GRADER_ENDS = """
import os, shutil, sys
from pathlib import Path
from autograder.sandbox import jail

grader, folder = os.pipe(), sys.argv[1]
worker = os.pipe()
plan = jail.JailSpec(("namespaces", "user"), ("/usr/lib",), os.path.join(folder, "root"), 100, 1, 1)
if os.fork() == 0:
    refused = jail.new_namespaces(plan)
    show = jail._show
    def show_later(tree, root):
        os.write(worker[1], b"mounted")
        os.read(grader[0], 1)
        show(tree, root)
    jail._show = show_later
    if not refused and os.fork() == 0:
        jail.build_root(plan)
    os.wait()
    os._exit(0)
os.close(worker[1])
mounted = os.read(worker[0], 10)
shutil.rmtree(folder)
os.write(grader[1], b"x")
os.wait()
print(mounted, os.path.exists(folder))
"""


def test_a_worker_whose_grader_ends_while_it_builds_its_root_makes_no_folder_anew(tmp_path: Path) -> None:
    (tmp_path / "scratch" / "root").mkdir(parents=True)
    done = run_here(["-c", GRADER_ENDS, str(tmp_path / "scratch")])
    if "b''" in done.stdout:
        pytest.skip("no namespaces here")
    assert done.stdout == "b'mounted' False\n", done.stderr
