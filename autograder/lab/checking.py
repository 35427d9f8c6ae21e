"""A student's own check: the public tests, in this process, on their notebook, module or live namespace."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.course.catalog import find_exercises, load_exercise, pick_exercise
from autograder.records import Exercise, PtqlabError
from autograder.report.table import CheckResult
from autograder.runtime import blocked_apis
from autograder.runtime.simulated import device as simulated
from autograder.scoring import score_task
from autograder.testing.plugin import available_devices, run_suites
from autograder.testing.proxy import InProcess

PRACTICE_SEED = 0  # a student's own inputs; an assignment has a seed of its own


def check_namespace(
    exercise: Exercise,
    namespace: Mapping[str, Any],
    task: str | None = None,
    notes: tuple[str, ...] = (),
    language: str = "en",
) -> CheckResult:
    """Run the public tests of one task or of all on live objects; the points are the student's own and don't count."""
    tasks = tuple(t for t in exercise.tasks if task in (None, t.id))
    if not tasks:
        known = ", ".join(t.id for t in exercise.tasks)
        raise PtqlabError(f"Expected one of the tasks {known}; there is no task {task!r} in {exercise.slug}.")
    devices = available_devices("cpu")
    if "simulated" not in devices:
        notes = (*notes, f"The simulated device is not run here: {simulated.unavailable_reason()}")
    with blocked_apis.install():
        outcomes = run_suites(
            exercise, InProcess(namespace), PRACTICE_SEED, devices, hidden=False, only={task} if task else None
        )
    return CheckResult(tuple(score_task(t, outcomes, every_item=False) for t in tasks), language, notes)


def check(task: str | None = None) -> None:
    """Run the public tests of one task ("1.1"), or of the whole lab, on what this notebook has defined so far.

    Shows a table and returns None. Never raises in a notebook; where nbgrader validates, a failed test is an
    AssertionError, since that is how nbgrader learns of it.
    """
    namespace = sys._getframe(1).f_globals
    try:
        exercise = _exercise(task, namespace)
        wanted = task if task and "." in task else None
        result = check_namespace(exercise, namespace, wanted, language=_language(namespace))
    except PtqlabError as error:
        print(error)
        return
    _show(result)
    if os.environ.get("NBGRADER_VALIDATING") and not result.passed:
        raise AssertionError(str(result))


def _exercise(task: str | None, namespace: Mapping[str, Any]) -> Exercise:
    """The exercise that is meant: the task's, else the working folder's, else the one this notebook works on."""
    if (Path.cwd() / "exercise.toml").is_file():
        here = load_exercise(Path.cwd())
        if task is None or any(task == own.id for own in here.tasks):
            return here
    if task is not None:
        return pick_exercise(find_exercises(), task)
    exercises = find_exercises()
    best = max(exercises, key=lambda e: sum(name in namespace for name in e.functions))
    if not any(name in namespace for name in best.functions):
        raise PtqlabError("check() finds no function of any lab in this notebook; name a task, as in check('1.1').")
    return best


def _language(namespace: Mapping[str, Any]) -> str:
    """The language of the notebook that is open: Jupyter tells its kernel the notebook's name, VS Code its
    namespace.
    """
    names = (os.environ.get("JPY_SESSION_NAME", ""), str(namespace.get("__vsc_ipynb_file__", "")))
    return "zh-TW" if any("zh-TW" in name for name in names) else os.environ.get("PTQLAB_LANGUAGE", "en")


def _show(result: object) -> None:
    try:
        from IPython import get_ipython  # noqa: PLC0415
        from IPython.display import display  # noqa: PLC0415
    except ImportError:
        print(result)
        return
    if get_ipython() is None:
        print(result)
    else:
        display(result)  # type: ignore[no-untyped-call]
