"""The exercise's own tests without a grader: called as plain functions, in this process, on a live namespace.

nbgrader's test cells use it, and it is the floor of the comparison: a warm process that does nothing but run the
student's code and the tests. With --pytest the same tests run through pytest, as `check` runs them.

    python -P direct_tests.py [--pytest] EXERCISE SOLUTIONS MODULE.py...      prints JSON
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autograder.course.catalog import load_exercise
from autograder.records import Exercise, Status
from autograder.runtime.simulated import device as simulated
from autograder.submission.loading import load_module
from autograder.testing.outcomes import HIDDEN, PUBLIC
from autograder.testing.plugin import run_suites, seeded
from autograder.testing.proxy import InProcess, Student

SEED = 0  # what pytest in a student's folder uses: every way gets the same inputs
DEVICES = ("cpu", "simulated")
Verdicts = dict[str, bool]
"""Whether each test passed, by "test_public.py::test_name"."""


@dataclass(frozen=True)
class Test:
    """One test function, the file it stands in, its task, and the fixtures that it asks for."""

    file: str
    function: Callable[..., None]
    task: str
    fixtures: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.file}::{self.function.__name__}"


def load_tests(exercise: Exercise) -> list[Test]:
    """The public and the hidden tests of an exercise, in the files' order."""
    assert exercise.solution is not None
    return [test for path in (exercise.folder / PUBLIC, exercise.solution / HIDDEN) for test in _tests_in(path)]


def _tests_in(path: Path) -> Iterator[Test]:
    spec = importlib.util.spec_from_file_location(f"direct_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, function in vars(module).items():
        if name.startswith("test_"):
            task = next(mark.args[0] for mark in function.pytestmark if mark.name == "task")
            yield Test(path.name, function, task, tuple(inspect.signature(function).parameters))


def passes(test: Test, endpoint: InProcess) -> bool:
    """Run one test, on each device if it asks for one."""
    devices = DEVICES if "device" in test.fixtures else ("cpu",)
    return sum(_passes_on(test, endpoint, device) for device in devices) == len(devices)  # all run, as in pytest


def _passes_on(test: Test, endpoint: InProcess, device: str) -> bool:
    on_simulated = device == "simulated"
    student = Student(endpoint)
    student.simulated = on_simulated
    given = {
        "student": student,
        "rng": seeded(SEED, test.file, test.function.__name__),
        "device": simulated.DEVICE if on_simulated else torch.device("cpu"),
    }
    with simulated.session() if on_simulated else contextlib.nullcontext():
        try:
            test.function(**{name: given[name] for name in test.fixtures})
        except Exception:
            return False
    return True


def check_in_cell(folder: str, solutions: str, task: str, namespace: Mapping[str, Any], into: str = "") -> None:
    """What a test cell of nbgrader or a test of otter's does: raise when a test did not pass.

    Each test's verdict is told as JSON: printed, or in a file of the folder `into`.
    """
    endpoint = InProcess(namespace)
    exercise = load_exercise(Path(folder), Path(solutions))
    verdicts = {test.id: passes(test, endpoint) for test in load_tests(exercise) if test.task == task}
    told = json.dumps(verdicts)
    Path(into, f"{task}.json").write_text(told, encoding="utf-8") if into else print(told)
    assert all(verdicts.values()), f"task {task}: {sum(verdicts.values())} of {len(verdicts)} tests pass"


def directly(tests: list[Test], source: str) -> Verdicts:
    """Load one submission and call every test."""
    endpoint = InProcess(vars(load_module(source, "student").module))
    return {test.id: passes(test, endpoint) for test in tests}


def through_pytest(exercise: Exercise, source: str) -> Verdicts:
    """Load one submission and run every test in one pytest session."""
    endpoint = InProcess(vars(load_module(source, "student").module))
    outcomes = run_suites(exercise, endpoint, SEED, DEVICES, hidden=True)
    return {outcome.test: outcome.status is Status.PASSED for outcome in outcomes}


def main(arguments: list[str]) -> None:
    """Grade the modules one after the other in this process, after one run to warm up; print costs and verdicts."""
    by_pytest = arguments[0] == "--pytest"
    folder, solutions, *modules = (Path(text) for text in arguments[by_pytest:])
    torch.set_num_threads(1)
    exercise = load_exercise(folder, solutions)
    tests = load_tests(exercise)
    sources = {path.stem: path.read_text(encoding="utf-8") for path in modules}
    judge = (lambda source: through_pytest(exercise, source)) if by_pytest else (lambda source: directly(tests, source))
    judge(next(iter(sources.values())))
    cpu_s, start = time.process_time(), time.perf_counter()
    verdicts = {student: judge(source) for student, source in sources.items()}
    cost = {"cpu_s": time.process_time() - cpu_s, "wall_s": time.perf_counter() - start}
    print(json.dumps({**cost, "verdicts": verdicts}))


if __name__ == "__main__":
    main(sys.argv[1:])
