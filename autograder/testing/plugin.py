"""The pytest plugin: what `student`, `device` and `rng` are in a test, and how tests become outcomes.

Registered with pytest by an entry point, so that plain `pytest` works in a student's folder; `run_suites` runs
the same tests for the grader and for `check`, in this process, and reads their outcomes from the record that
pytest-json-report writes. Importing this file is cheap: torch is imported by the first test that needs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Collection, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.records import VALUES, Exercise, Outcome, PtqlabError, Status
from autograder.runtime.process_state import STATE
from autograder.testing.deadline import OWN_WORK_CPU_S, at_most
from autograder.testing.outcomes import HIDDEN, PUBLIC, outcomes_of, status_of
from autograder.testing.verdicts import verdict

if TYPE_CHECKING:
    import torch

    from autograder.testing.collection import Replay
    from autograder.testing.proxy import Endpoint, Student


@dataclass(frozen=True)
class Context:
    """Whom the tests of one run talk to, and the assignment's seed."""

    endpoint: Endpoint
    seed: int
    reference: Callable[[], dict[str, Any]] | None = None  # what the reference solution defines, for hidden tests


CONTEXT = pytest.StashKey[Context]()
DEVICES = pytest.StashKey[tuple[str, ...]]()
STUDENT = pytest.StashKey["Student"]()
VERDICT = pytest.StashKey[dict[str, str]]()
OWN_WORK = pytest.StashKey["dict[Path, Endpoint]"]()
MOST_ONCE = 256  # values of `once` that a process keeps


# --- fixtures ---------------------------------------------------------------------------------------------------


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Student:
    """The student's functions and classes, by name."""
    return _student_of(request)


def _student_of(request: pytest.FixtureRequest) -> Student:
    from autograder.testing.proxy import Student  # noqa: PLC0415

    if STUDENT not in request.node.stash:
        context = request.config.stash.get(CONTEXT, None)
        endpoint = context.endpoint if context else _own_work(request.config, request.path.parent)
        request.node.stash[STUDENT] = Student(endpoint)
    found: Student = request.node.stash[STUDENT]
    return found


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> torch.Generator:
    """A generator on the CPU, seeded from the assignment's seed and the test's name: the same on every device."""
    context = request.config.stash.get(CONTEXT, None)
    return seeded(context.seed if context else 0, request.path.name, request.node.originalname)


@pytest.fixture
def reference(request: pytest.FixtureRequest) -> Student:
    """The reference solution, in this process: for hidden tests that measure against it."""
    from autograder.testing.proxy import InProcess, Student  # noqa: PLC0415

    context = request.config.stash.get(CONTEXT, None)
    if context is None or context.reference is None or request.path.name != HIDDEN:
        raise PtqlabError("Expected the fixture `reference` in a hidden test that the grader runs; use it there only.")
    return Student(InProcess(context.reference()))


@pytest.fixture
def once(request: pytest.FixtureRequest, rng: torch.Generator) -> Callable[[str, Callable[[], Any]], Any]:
    """`once("kl", function)`: the function's value, computed once for a class (same test file, test and seed).

    Afterwards `rng` stands where the function left it, also when it was not called: every student gets the same inputs.
    """
    context = request.config.stash.get(CONTEXT, None)
    stamp = tuple(file.stat().st_mtime_ns for file in request.path.parent.glob("*.py"))
    test = (request.path, stamp, request.node.name, context.seed if context else 0)

    def value_of(name: str, function: Callable[[], Any]) -> Any:
        made = _made_once(test, name)
        if not made:
            made.append((function(), rng.get_state()))
        value, state = made[0]
        rng.set_state(state)
        return value

    return value_of


@STATE.keep(MOST_ONCE)
def _made_once(test: Hashable, name: str) -> list[tuple[Any, torch.Tensor]]:
    """The value of a name in a test, and the generator's state after it; empty until it is made."""
    return []


def seeded(seed: int, file: str, test: str) -> torch.Generator:
    """The generator of one test: `seed` is the assignment's."""
    import torch  # noqa: PLC0415

    digest = hashlib.sha256(f"{seed}:{file}::{test}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """The device of this run: the CPU, the simulated device, CUDA where there is one."""
    import torch  # noqa: PLC0415

    from autograder.runtime.simulated import device as simulated  # noqa: PLC0415

    if request.param != "simulated":
        yield torch.device(request.param)
        return
    student = _student_of(request)
    student.simulated = True
    with simulated.session():
        yield simulated.DEVICE
    student.simulated = False


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `device` once on each."""
    if "device" in metafunc.fixturenames and metafunc.definition.get_closest_marker("task"):
        devices = metafunc.config.stash.get(DEVICES, None) or available_devices("auto")
        metafunc.parametrize("device", devices, indirect=True)


def available_devices(wanted: str) -> tuple[str, ...]:
    """The devices that a test runs on: CPU and simulated always, CUDA in addition where it is there and wanted."""
    import torch  # noqa: PLC0415

    from autograder.runtime.simulated import device as simulated  # noqa: PLC0415

    devices = ("cpu", "simulated") if simulated.available() else ("cpu",)
    return (*devices, "cuda") if wanted != "cpu" and torch.cuda.is_available() else devices


def _own_work(config: pytest.Config, folder: Path) -> Endpoint:
    """The student's own notebook or module in this folder, loaded into this process once a session."""
    from autograder.testing.own_work import open_folder  # noqa: PLC0415

    loaded = config.stash.setdefault(OWN_WORK, {})
    if folder not in loaded:
        loaded[folder] = open_folder(folder)
    return loaded[folder]


# --- hooks ------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "task(id, item): ties a test to an item of a task's rubric")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """In the grader, bound a test's own work; a student's own run may take its time."""
    graded = item.config.stash.get(CONTEXT, None) is not None and item.config.stash.get(DEVICES, None) is not None
    with at_most(OWN_WORK_CPU_S) if graded else contextlib.nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge each phase; in a student's own run, show the judgement instead of a long traceback."""
    if call.excinfo is not None and item.get_closest_marker("task"):
        asked, hidden = item.stash.get(STUDENT, None), item.path.name == HIDDEN
        item.stash[VERDICT] = verdict(call.excinfo.value, asked, hidden=hidden, in_test=call.when == "call")
    report = yield
    context = item.config.stash.get(CONTEXT, None)
    if call.excinfo is not None and VERDICT in item.stash and context is None and _is_brief(item.config):
        report.longrepr = _for_terminal(item, item.stash[VERDICT])
    return report


def _is_brief(config: pytest.Config) -> bool:
    return bool(config.getoption("tbstyle", "auto") == "auto" and not config.getoption("fulltrace", False))


def _for_terminal(item: pytest.Item, found: dict[str, str]) -> str:
    claim = _claim(item)
    return f"{claim}\n\n{found['message']}\n\n(pytest --tb=long shows the full traceback)"


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(item: pytest.Item, call: pytest.CallInfo[None]) -> dict[str, str]:
    """Put a test's task, claim and verdict into its entry in the JSON record."""
    marker = item.get_closest_marker("task")
    if marker is None or (call.when != "setup" and call.excinfo is None):
        return {}
    facts = {"task": str(marker.args[0]), "item": str(marker.kwargs.get("item", "")), "claim": _claim(item)}
    return facts | (item.stash.get(VERDICT, {}) if call.excinfo is not None else {})


def _claim(item: pytest.Item) -> str:
    text = getattr(getattr(item, "function", None), "__doc__", None) or item.name
    return " ".join(text.split())


class _Grading:
    """Marks a session as the grader's; its tests run on these devices. Registered only by run_suites."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.devices = tuple(devices)

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[DEVICES] = self.devices


# --- a whole run --------------------------------------------------------------------------------------------------


def run_suites(
    exercise: Exercise,
    endpoint: Endpoint,
    seed: int,
    devices: Sequence[str],
    *,
    hidden: bool,
    only: Collection[str] | None = None,
    until_lost: bool = False,
    reference: Callable[[Path, Path], dict[str, Any]] | None = None,
    replay: Replay | None = None,
) -> tuple[Outcome, ...]:
    """Run an exercise's tests against `endpoint`, in this process; one outcome a test, in the files' order.

    `only` names the tasks whose tests are run, where not all are. With `until_lost` an item's tests end with the first
    that does not pass, and a task's with the first of `values`: enough to see what is lost, and no score. A test whose
    result `replay` gives is not run.
    """
    from autograder.testing.collection import collected  # noqa: PLC0415

    files = [str(exercise.folder / PUBLIC)]
    if hidden and exercise.solution is not None:
        files.append(str(exercise.solution / HIDDEN))
    context = Context(endpoint, seed)
    if reference is not None and exercise.solution is not None:
        context = replace(context, reference=partial(reference, exercise.folder, exercise.solution))
    try:
        with collected(files, tuple(devices), lambda: (sys.modules[__name__], _Grading(devices))) as tests:
            tests.config.stash[CONTEXT] = context
            lost: set[tuple[str, str]] = set()

            def is_wanted(item: pytest.Item) -> bool:
                task = _task_of(item)
                return (only is None or task in only) and lost.isdisjoint({(task, VALUES), (task, _item_of(item))})

            def note_loss(item: pytest.Item, entry: dict[str, Any]) -> None:
                if until_lost and status_of(entry) is not Status.PASSED:
                    lost.add((_task_of(item), _item_of(item)))

            ran = tests.run(is_wanted, note_loss, replay)
            errors = tests.errors
            del tests.config.stash[CONTEXT]
    except Exception as error:  # not a test's: that would be an outcome
        ran, errors = [], [f"pytest itself failed: {type(error).__name__}: {error}"]
    return outcomes_of(exercise, ran, errors)


def _task_of(item: pytest.Item) -> str:
    marker = item.get_closest_marker("task")
    return str(marker.args[0]) if marker else ""


def _item_of(item: pytest.Item) -> str:
    marker = item.get_closest_marker("task")
    return str(marker.kwargs.get("item", "")) if marker else ""
