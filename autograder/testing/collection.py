"""Test files that pytest has collected once, and runs again for every submission.

Configuring pytest and collecting a hundred tests costs twice as much as running them. So one pytest session stays
open over the test files; a run of it is pytest's own protocol for each test, with fresh fixtures, and with a fresh
record that pytest-json-report's hooks fill. A file that was edited, or another course's, is collected anew, and a
session in which anything but a test went wrong is closed and never used again.

pytest's one public way to a session, `pytest.main`, ends it. Private are therefore `_prepareconfig`, and a
configuration's `_do_configure` and `_ensure_unconfigure`: what `pytest.main` itself calls.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Protocol
from unittest import mock

import pytest
from _pytest.config import _prepareconfig

from autograder.records import Status
from autograder.runtime.process_state import STATE

MOST_KEPT = 8  # a course has five exercises
OPTIONS = (
    "--import-mode=importlib",
    "--noconftest",
    "--tb=line",
    "-c",
    os.devnull,
    "-p",
    "pytest_jsonreport.plugin",
    "--json-report",
    "--json-report-file=none",
    "--json-report-omit",
    "collectors",
    "log",
    "traceback",
    "streams",
    "warnings",
    "keywords",
)
UNUSED = (
    "cacheprovider",
    "capture",
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "logging",
    "monkeypatch",
    "pastebin",
    "recwarn",
    "reports",
    "setuponly",
    "setupplan",
    "skipping",
    "stepwise",
    "subtests",
    "threadexception",
    "tmpdir",
    "unittest",
    "unraisableexception",
    "warnings",
)


Entry = dict[str, Any]
"""What pytest-json-report has recorded of one test: its phases, and in `metadata` what plugin.py adds."""
ANSWERED = (Status.FAILED, Status.MISSING, Status.REFUSED)  # what a test says of answers, and not of the machine


class Replay(Protocol):
    """What is recorded of the exchanges between tests and students' code; see grading/replay.py."""

    def replay(self, test: str, number: int) -> Entry | None:
        """Return the test's entry, or None when the test has to be run."""

    def is_consistent(self, test: str) -> bool:
        """Tell whether the test that was run asked every replayed question; if not, it has to be run anew."""

    def record(self, test: str, entry: Entry) -> None:
        """Record the entry of the test that was run."""


class Collection:
    """The tests of some files, in an open pytest session. `errors` says what could not be collected."""

    def __init__(self, files: Sequence[str], plugins: Sequence[object]) -> None:
        self.errors: list[str] = []
        self._entry: Entry = {}
        root = os.path.commonpath([os.path.dirname(file) for file in files])
        unused = (part for name in UNUSED for part in ("-p", f"no:{name}"))
        environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        with mock.patch.dict(os.environ, environment), _quiet(), _own_modules(files):
            self.config: Any = _prepareconfig([*files, "--rootdir", root, *OPTIONS, *unused], [*plugins, self])
            self._session = pytest.Session.from_config(self.config)
            self._session.exitstatus = pytest.ExitCode.OK  # pytest-json-report wants one
            try:
                self._collect()
            except BaseException:
                self.close()
                raise

    def _collect(self) -> None:
        self.config._do_configure()
        self.config.pluginmanager.unregister(name="terminalreporter")
        self.config.hook.pytest_sessionstart(session=self._session)
        self.config.hook.pytest_collection(session=self._session)
        for item in self._session.items:
            _clean(item)  # pytest knows the stash that it made by a second name, which would keep the first run's

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected."""
        if report.failed:
            self.errors.append(f"{report.nodeid}: {report.longreprtext[-1000:]}")

    @pytest.hookimpl(wrapper=True, optionalhook=True)
    def pytest_json_runtest_metadata(self) -> Generator[None, list[dict[str, Any]], list[dict[str, Any]]]:
        """Take what pytest-json-report adds to the record of the present test."""
        metadata = yield
        for part in metadata:
            self._entry["metadata"] |= part
        return metadata

    @pytest.hookimpl(wrapper=True, optionalhook=True)
    def pytest_json_runtest_stage(self, report: pytest.TestReport) -> Generator[None, Entry, Entry]:
        """Take what pytest-json-report records of a phase of the present test."""
        stage = yield
        self._entry[report.when] = stage
        if stage["outcome"] != "passed":
            self._entry["outcome"] = stage["outcome"]
        return stage

    def run(
        self,
        wanted: Callable[[pytest.Item], bool],
        after: Callable[[pytest.Item, Entry], None] = lambda item, entry: None,
        replay: Replay | None = None,
    ) -> list[tuple[str, Entry]]:
        """Run the wanted tests; return each one's name and its entry as pytest-json-report records it.

        `after` is called with each test and its entry, and may change which ones are still wanted. A test
        whose entry `replay` gives is not run.
        Raises what ends a pytest session: KeyboardInterrupt, pytest.exit, an error in a plugin.
        """
        ran = []
        with _quiet():
            for number, item in enumerate(self._session.items):
                if wanted(item):  # which ones are is not known before those before have run
                    entry = self._replayed(item, number, replay) if replay else self._run(item)
                    ran.append((item.nodeid, entry))
                    after(item, entry)
        return ran

    def _replayed(self, item: pytest.Item, number: int, replay: Replay) -> Entry:
        recorded = replay.replay(item.nodeid, number)
        if recorded is not None:
            return recorded
        entry = self._run(item)
        while not replay.is_consistent(item.nodeid):
            replay.replay(item.nodeid, number)
            entry = self._run(item)
        if entry.get("outcome") == "passed" or entry.get("metadata", {}).get("status") in ANSWERED:
            replay.record(item.nodeid, entry)
        return entry

    def _run(self, item: pytest.Item) -> Entry:
        entry = self._entry = {"nodeid": item.nodeid, "outcome": "passed", "metadata": {}}
        # the next test is not known yet: nothing stays set up for it
        self.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        _clean(item)
        return entry

    def close(self) -> None:
        """Tear down what is still set up, and end the session."""
        with _quiet(), contextlib.suppress(Exception):
            self.config.hook.pytest_sessionfinish(session=self._session, exitstatus=pytest.ExitCode.OK)
        self.config._ensure_unconfigure()


def _clean(item: pytest.Item) -> None:
    """Take from a test what its run has left on it: it must not reach the next student's."""
    item.stash, item.user_properties = pytest.Stash(), []


def _close_all(collections: list[Collection]) -> None:
    for collection in collections:
        collection.close()


@STATE.keep(MOST_KEPT, _close_all)
def _idle(*key: object) -> list[Collection]:
    """The collection of this key that nobody uses at the moment, if there is one."""
    return []


@contextlib.contextmanager
def collected(files: Sequence[str], about: object, plugins: Callable[[], Sequence[object]]) -> Iterator[Collection]:
    """The tests of these files, collected earlier if nothing changed. `about` is what the plugins depend on.

    Nobody else has the collection meanwhile. If all went well it is kept for the next time, else it is closed.
    """
    key = (about, *((file, _stamp(file)) for file in files))
    idle = _idle(*key)
    collection = idle.pop() if idle else Collection(files, plugins())
    try:
        yield collection
    except BaseException:
        collection.close()
        raise
    idle = _idle(*key)  # anew: it may have been dropped meanwhile
    if collection.errors or idle:
        collection.close()
    else:
        idle.append(collection)


def _stamp(file: str) -> object:
    """What changes when a file is edited or replaced."""
    with contextlib.suppress(OSError):
        status = os.stat(file)
        return status.st_mtime_ns, status.st_size, status.st_ino
    return None


@contextlib.contextmanager
def _own_modules(files: Sequence[str]) -> Iterator[None]:
    """Keep a collection's test modules its own, and nothing of it in the import system.

    Pytest puts them into sys.modules under names made of their paths, and would take another course's from there.
    """
    finders = sys.meta_path.copy()
    _forget(files)
    try:
        yield
    finally:
        _forget(files)
        sys.meta_path[:] = [f for f in sys.meta_path if f in finders or not type(f).__module__.startswith("_pytest.")]


def _forget(files: Sequence[str]) -> None:
    names = {os.path.basename(file) for file in files}
    for name, module in list(sys.modules.items()):
        if os.path.basename(getattr(module, "__file__", None) or "") in names:
            del sys.modules[name]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What tests and student code print is not for the terminal."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
