"""The pytest plugin: what `student`, `device` and `rng` are in a test, and how tests become outcomes.

Registered with pytest by an entry point, so that plain `pytest` works in a student's folder; `run_suites` runs
the same tests for the grader and for `check`, in this process, and reads their outcomes from the record that
pytest-json-report writes. Importing this file is cheap: torch is imported by the first test that needs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import traceback
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from autograder.model import Exercise, Outcome, PtqlabError, Status

if TYPE_CHECKING:
    import torch

    from autograder.student import Endpoint, Student

PUBLIC, HIDDEN = "test_public.py", "test_hidden.py"
SHORTCUTS = ("-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:junitxml",
             "-p", "no:pastebin", "-p", "no:unraisableexception", "-p", "no:threadexception", "-p", "no:logging",
             "-p", "no:warnings", "-p", "no:doctest", "-p", "no:debugging", "-p", "no:stepwise", "-p", "no:setuponly",
             "-p", "no:setupplan", "-p", "no:reports", "-p", "no:recwarn", "-p", "no:tmpdir",
             "-p", "no:monkeypatch", "-p", "no:nose", "-p", "no:unittest")  # fmt: skip


@dataclass
class Context:
    """Whom the tests of one session talk to. `record` is filled with pytest-json-report's record at the end."""

    endpoint: Endpoint
    seed: int
    devices: tuple[str, ...]
    expected: list[str] = field(default_factory=list)
    collection_errors: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)


CONTEXT = pytest.StashKey[Context]()
STUDENT = pytest.StashKey["Student"]()
VERDICT = pytest.StashKey[dict[str, str]]()


# --- fixtures ---------------------------------------------------------------------------------------------------


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Student:
    """The student's functions and classes, by name."""
    return _student_of(request)


def _student_of(request: pytest.FixtureRequest) -> Student:
    from autograder.student import Student  # noqa: PLC0415

    if STUDENT not in request.node.stash:
        context = request.config.stash.get(CONTEXT, None)
        endpoint = context.endpoint if context else _local_endpoint(request.path.parent)
        request.node.stash[STUDENT] = Student(endpoint)
    found: Student = request.node.stash[STUDENT]
    return found


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> torch.Generator:
    """A generator on the CPU, seeded from the assignment's seed and the test's name: the same on every device."""
    context = request.config.stash.get(CONTEXT, None)
    return seeded(context.seed if context else 0, request.path.name, request.node.originalname)


def seeded(seed: int, file: str, test: str) -> torch.Generator:
    """The generator of one test: `seed` is the assignment's."""
    import torch  # noqa: PLC0415

    digest = hashlib.sha256(f"{seed}:{file}::{test}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """The device of this run: the CPU, the simulated device, CUDA where there is one."""
    import torch  # noqa: PLC0415

    from autograder import simulated  # noqa: PLC0415

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
        context = metafunc.config.stash.get(CONTEXT, None)
        devices = context.devices if context else available_devices("auto")
        metafunc.parametrize("device", devices, indirect=True)


def available_devices(wanted: str) -> tuple[str, ...]:
    """The devices that a test runs on: CPU and simulated always, CUDA in addition where it is there and wanted."""
    import torch  # noqa: PLC0415

    from autograder import simulated  # noqa: PLC0415

    devices = ("cpu", "simulated") if simulated.available() else ("cpu",)
    return (*devices, "cuda") if wanted != "cpu" and torch.cuda.is_available() else devices


_LOCAL: dict[Path, Endpoint] = {}


def _local_endpoint(folder: Path) -> Endpoint:
    """The student's own notebook or module in this folder, loaded into this process."""
    from autograder.local import open_folder  # noqa: PLC0415

    if folder not in _LOCAL:
        _LOCAL[folder] = open_folder(folder)
    return _LOCAL[folder]


# --- hooks ------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "task(id, kind): ties a test to a task's points; kind is core or edge")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge each phase; in a student's own run, show the judgement instead of a long traceback."""
    if call.excinfo is not None and item.get_closest_marker("task"):
        item.stash[VERDICT] = verdict(item, call)
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
    if marker is None:
        return {}
    facts = {"task": str(marker.args[0]), "kind": str(marker.kwargs.get("kind", "")), "claim": _claim(item)}
    return facts | (item.stash.get(VERDICT, {}) if call.excinfo is not None else {})


def _claim(item: pytest.Item) -> str:
    text = getattr(getattr(item, "function", None), "__doc__", None) or item.name
    return " ".join(text.split())


class _Grading:
    """Joins one session to its context; registered only by run_suites."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[CONTEXT] = self.context

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.context.expected = [item.nodeid for item in items]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.context.collection_errors.append(f"{report.nodeid}: {report.longreprtext[-1000:]}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_json_modifyreport(self, json_report: dict[str, Any]) -> None:
        self.context.record = json_report


# --- from an exception to a verdict -------------------------------------------------------------------------------

UNUSABLE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)


def verdict(item: pytest.Item, call: pytest.CallInfo[None]) -> dict[str, str]:
    """What a failing phase means: the test's status, and the words for the student."""
    from autograder import student as ends  # noqa: PLC0415

    assert call.excinfo is not None
    error = call.excinfo.value
    if isinstance(error, PtqlabError):
        return _judged(Status.GRADER_ERROR, str(error), "")
    asked = item.stash.get(STUDENT, None)
    hidden = item.path.name == HIDDEN
    called = "" if hidden or asked is None or asked.last_call is None else asked.last_call.text
    for kind, status in ((ends.Missing, Status.MISSING), (ends.Refused, Status.REFUSED),
                         (ends.TimedOut, Status.TIMED_OUT), (ends.Crashed, Status.CRASHED)):  # fmt: skip
        if isinstance(error, kind):
            return _judged(status, str(error), called)
    if call.when != "call":
        return _our_fault(error)
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return _judged(Status.FAILED, _assertion_text(error, hidden), called)
    if isinstance(error, ends.StudentError) or hasattr(error, "student_place"):
        return _judged(Status.FAILED, _raised_text(error, hidden), called)
    if isinstance(error, UNUSABLE) and asked is not None and asked.calls:
        came = "" if hidden else f" ({type(error).__name__}: {str(error)[:300]})"
        return _judged(
            Status.FAILED, f"what the call returned has not the form that the test expects{came}", called
        )
    return _our_fault(error)


def _judged(status: Status, message: str, called: str) -> dict[str, str]:
    return {"status": status.value, "message": f"{message}\ncalled: {called}" if called else message}


def _our_fault(error: BaseException) -> dict[str, str]:
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" at {Path(place[0].filename).name}:{place[0].lineno}" if place else ""
    return {
        "status": Status.GRADER_ERROR.value,
        "message": f"the test itself failed: {type(error).__name__}: {error}{where}",
    }


def _assertion_text(error: BaseException, hidden: bool) -> str:
    words, values = getattr(error, "words", None), getattr(error, "values", None)
    if words is None:  # a plain assert: pytest's own text holds values
        return "this does not hold" if hidden else str(error).split("\n", 1)[0] or "this does not hold"
    return str(words) if hidden or not values else f"{words}\n{values}"


def _raised_text(error: BaseException, hidden: bool) -> str:
    from autograder.student import StudentError  # noqa: PLC0415

    if hidden:  # neither the text nor the place: both could carry a hidden test's values
        return (
            "the call raised an error"
            if isinstance(error, StudentError)
            else f"the call raised {type(error).__name__}"
        )
    place = getattr(error, "student_place", "")
    name = "" if isinstance(error, StudentError) else f"{type(error).__name__}: "
    return f"the call raised {name}{error}{f' ({place})' if place else ''}"


# --- a whole run --------------------------------------------------------------------------------------------------


def run_suites(
    exercise: Exercise,
    endpoint: Endpoint,
    seed: int,
    devices: Sequence[str],
    *,
    hidden: bool,
    task: str | None = None,
) -> tuple[Outcome, ...]:
    """Run an exercise's tests against `endpoint`, in this process; one outcome a test, in the files' order."""
    files = [exercise.folder / PUBLIC]
    if hidden and exercise.solution is not None:
        files.append(exercise.solution / HIDDEN)
    context = Context(endpoint, seed, tuple(devices))
    _run_pytest([str(file) for file in files], context, task)
    return outcomes_of(exercise, context)


def _run_pytest(files: list[str], context: Context, task: str | None) -> None:
    arguments = [
        "--import-mode=importlib", "--noconftest", "-c", os.devnull,
        "--rootdir", os.path.commonpath([os.path.dirname(file) for file in files]),
        "--capture=no", "-p", "pytest_jsonreport.plugin", "--json-report", "--json-report-file=none",
        "--json-report-omit", "collectors", "log", "traceback", "streams", "warnings", "keywords",
    ]  # fmt: skip
    _forget_changed_modules(files)
    plugins: list[object] = [_Grading(context), _Only(task)]
    this = sys.modules[__name__]
    with mock.patch.dict(os.environ, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = pytest.main([*files, *arguments, *SHORTCUTS], plugins=[this, *plugins])
    _remember_modules(files)
    if code == pytest.ExitCode.INTERRUPTED and not context.collection_errors:
        raise KeyboardInterrupt
    if (
        code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        and not context.collection_errors
    ):
        context.collection_errors.append(f"pytest ended with code {int(code)}: {said.getvalue()[-1000:]}")


def _forget_changed_modules(files: list[str]) -> None:
    """Pytest keeps test modules by a name made from their path; another course's, or an edited one, must not serve."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if os.path.basename(file) in (PUBLIC, HIDDEN) and not (
            file in files and vars(module).get("__ptqlab_mtime__") == os.stat(file).st_mtime_ns
        ):
            del sys.modules[name]


def _remember_modules(files: list[str]) -> None:
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) in files:
            vars(module).setdefault("__ptqlab_mtime__", os.stat(str(module.__file__)).st_mtime_ns)


class _Only:
    """Keeps the tests of one task."""

    def __init__(self, task: str | None) -> None:
        self.task = task

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.task is not None:
            items[:] = [item for item in items if _task_of(item) == self.task]


def _task_of(item: pytest.Item) -> str:
    marker = item.get_closest_marker("task")
    return str(marker.args[0]) if marker else ""


def outcomes_of(exercise: Exercise, context: Context) -> tuple[Outcome, ...]:
    """Outcomes from the JSON record; what was expected and is not there, or did not run, is our own error."""
    runs: dict[str, list[dict[str, Any]]] = {}
    recorded = {entry["nodeid"]: entry for entry in context.record.get("tests", [])}
    for nodeid in context.expected:
        runs.setdefault(nodeid.split("[", 1)[0], []).append(recorded.get(nodeid, {}))
    found = [_hinted(exercise, _merged(nodeid, entries)) for nodeid, entries in runs.items()]
    return (*found, *_withholding(exercise, context.collection_errors))


def _hinted(exercise: Exercise, outcome: Outcome) -> Outcome:
    """The outcome with the hint that exercise.toml has for this test, if it did not pass."""
    hints = next((task.test_hints for task in exercise.tasks if task.id == outcome.task), {})
    hint = hints.get(outcome.test.rpartition("::")[2])
    return replace(outcome, hint=hint) if hint and outcome.status is not Status.PASSED else outcome


def _withholding(exercise: Exercise, errors: list[str]) -> Iterator[Outcome]:
    for error in errors:
        for task in exercise.tasks:
            yield Outcome(
                "collection", task.id, "core", True, Status.GRADER_ERROR, "The tests can be loaded.", error
            )


def _merged(nodeid: str, entries: list[dict[str, Any]]) -> Outcome:
    """One test's outcome over all its devices: the first that did not pass speaks."""
    file, _, name = nodeid.rpartition("::")
    single = [(_status(entry), entry) for entry in entries]
    status, entry = next(((s, e) for s, e in single if s is not Status.PASSED), single[0])
    facts = entry.get("metadata", {})
    duration = sum(
        e.get(phase, {}).get("duration", 0.0) for _, e in single for phase in ("setup", "call", "teardown")
    )
    message = facts.get("message", "") if status is not Status.PASSED else ""
    if "[" in entry.get("nodeid", "") and "[cpu]" not in entry["nodeid"] and message:
        message = f"on the {entry['nodeid'].rpartition('[')[2].rstrip(']')} device: {message}"
    task, kind = (
        next((e["metadata"][k] for _, e in single if k in e.get("metadata", {})), "")
        for k in ("task", "kind")
    )
    claim = next((e["metadata"]["claim"] for _, e in single if "claim" in e.get("metadata", {})), name)
    test = f"{file.rpartition('/')[2]}::{name}"
    return Outcome(test, task, kind, file.endswith(HIDDEN), status, claim, message, round(duration, 4))


def _status(entry: dict[str, Any]) -> Status:
    """Passed only when the test's own phase ran and passed and nothing else went wrong."""
    facts = entry.get("metadata", {})
    if (
        entry.get("outcome") == "passed"
        and entry.get("call", {}).get("outcome") == "passed"
        and "status" not in facts
    ):
        return Status.PASSED
    return Status(facts["status"]) if "status" in facts else Status.GRADER_ERROR
