"""Tests are collected once a class and run once a student: nothing is stale, and nothing passes from run to run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.rubrics import rubric_toml

from autograder.course.catalog import load_exercise
from autograder.records import Exercise, Status
from autograder.runtime.process_state import STATE
from autograder.testing import collection
from autograder.testing.plugin import run_suites
from autograder.testing.proxy import InProcess

TOML = """
[exercise]
title = { en = "Toy", "zh-TW" = "玩具" }
[[task]]
id = "9.1"
functions = ["answer"]
points = 4
title = { en = "Answer", "zh-TW" = "答" }
hint = { en = "Think.", "zh-TW" = "想想。" }
""" + rubric_toml(values=60, errors=40)
TESTS = '''
import pytest

@pytest.mark.task("9.1", item="values")
def test_answer(student, device):
    """The answer is 42."""
    assert student.answer() == 42
'''
Make = Callable[..., Exercise]


@pytest.fixture(autouse=True)
def _nothing_collected_before() -> None:
    STATE.clear()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def course(name: str = "course", tests: str = TESTS) -> Exercise:
        folder = tmp_path / name / "exercises" / "09_toy"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "exercise.toml").write_text(TOML, encoding="utf-8")
        (folder / "test_public.py").write_text(tests, encoding="utf-8")
        return load_exercise(folder)

    return course


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """One entry for each time that test files were collected."""
    made: list[Any] = []

    class Counted(collection.Collection):
        def __init__(self, *arguments: Any) -> None:
            made.append(arguments[0])
            super().__init__(*arguments)

    monkeypatch.setattr(collection, "Collection", Counted)
    return made


def grade(exercise: Exercise, answer: Callable[[], Any], **more: Any) -> list[tuple[Status, str]]:
    devices = more.get("devices", ("cpu", "simulated"))
    outcomes = run_suites(exercise, InProcess({"answer": answer}), 1, devices, hidden=True)
    return [(outcome.status, outcome.message) for outcome in outcomes]


def status(exercise: Exercise, answer: Callable[[], Any]) -> Status:
    ((found, _),) = grade(exercise, answer)
    return found


def test_a_class_is_graded_with_one_collection_and_each_by_the_own_answer(make: Make, loads: list[Any]) -> None:
    toy = make()
    answers = [42, 41, None, 42, "42", 42]
    found = [status(toy, lambda answer=answer: answer) is Status.PASSED for answer in answers]  # type: ignore[misc]
    assert found == [answer == 42 for answer in answers]
    assert len(loads) == 1


def test_a_missing_function_is_missing_after_others_passed(make: Make) -> None:
    toy = make()
    assert status(toy, lambda: 42) is Status.PASSED
    outcomes = run_suites(toy, InProcess({}), 1, ("cpu",), hidden=True)
    assert [outcome.status for outcome in outcomes] == [Status.MISSING]


def test_an_edited_test_file_is_collected_anew(make: Make, loads: list[Any]) -> None:
    assert status(make(), lambda: 42) is Status.PASSED
    assert status(make(tests=TESTS.replace("== 42", "== 1_042")), lambda: 42) is Status.FAILED
    assert len(loads) == 2


def test_the_same_exercise_of_another_course_has_its_own_tests(make: Make) -> None:
    first, second = make("first"), make("second", TESTS.replace("== 42", "== 43"))
    for _ in range(2):
        assert status(first, lambda: 42) is Status.PASSED
        assert status(second, lambda: 42) is Status.FAILED


def test_other_devices_are_another_collection(make: Make, loads: list[Any]) -> None:
    toy = make()
    for devices in (("cpu",), ("cpu", "simulated"), ("cpu",)):
        assert grade(toy, lambda: 42, devices=devices) == [(Status.PASSED, "")]
    assert len(loads) == 2


def test_test_files_that_could_not_be_collected_are_tried_again(make: Make, loads: list[Any]) -> None:
    toy = make(tests="import module_that_comes_later\n" + TESTS)
    sys.modules.pop("module_that_comes_later", None)
    for _ in range(2):
        ((found, message),) = grade(toy, lambda: 42)
        assert found is Status.GRADER_ERROR
        assert "module_that_comes_later" in message
    assert len(loads) == 2


def test_a_missing_test_file_withholds(make: Make) -> None:
    toy = make()
    (toy.folder / "test_public.py").unlink()
    ((found, message),) = grade(toy, lambda: 42)
    assert found is Status.GRADER_ERROR
    assert "test_public.py" in message


def test_ctrl_c_ends_the_run_and_leaves_nothing_set_up(make: Make, loads: list[Any]) -> None:
    from autograder.runtime.simulated import kernels

    def interrupted() -> None:
        raise KeyboardInterrupt

    toy = make()
    with pytest.raises(KeyboardInterrupt):
        grade(toy, interrupted, devices=("simulated",))
    assert not kernels.SESSIONS  # the `device` fixture has closed its session
    assert grade(toy, lambda: 42, devices=("simulated",)) == [(Status.PASSED, "")]
    assert len(loads) == 2


def test_a_test_that_ends_pytest_withholds_and_the_next_run_is_whole(make: Make) -> None:
    toy = make(tests=TESTS.replace("    assert", "    student.answer() or pytest.exit('enough')\n    assert"))
    ((found, message),) = grade(toy, lambda: 0)
    assert found is Status.GRADER_ERROR
    assert "enough" in message
    assert status(toy, lambda: 42) is Status.PASSED


def test_a_run_inside_a_run_has_its_own_collection(make: Make) -> None:
    toy, inner = make(), []

    def answer() -> int:
        inner.append(status(toy, lambda: 41))
        return 42

    assert status(toy, lambda: 42) is Status.PASSED
    assert status(toy, answer) is Status.PASSED
    assert inner == [Status.FAILED, Status.FAILED]  # once on each device
    assert status(toy, lambda: 42) is Status.PASSED


def test_what_a_test_leaves_on_itself_is_gone_in_the_next_run(make: Make) -> None:
    lines = (
        "    assert KEY not in request.node.stash",
        "    assert not request.node.user_properties",
        "    request.node.stash[KEY] = request.node.user_properties.append(('seen', 1))",
        "    assert",
    )
    text = TESTS.replace("student, device", "student, request").replace("    assert", "\n".join(lines))
    toy = make(tests=text.replace("import pytest", "import pytest\nKEY = pytest.StashKey()"))
    for _ in range(2):
        assert status(toy, lambda: 42) is Status.PASSED


def test_no_more_collections_are_kept_than_a_course_needs(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[list[Any]] = []

    class Closing(collection.Collection):
        def close(self) -> None:
            closed.append(self._session.items)
            super().close()

    monkeypatch.setattr(collection, "Collection", Closing)
    for number in range(collection.MOST_KEPT + 3):
        assert status(make(f"course{number}"), lambda: 42) is Status.PASSED
    assert [f"course{number}" in str(items[0].path) for number, items in enumerate(closed)] == [True] * 3
    STATE.clear()
    assert len(closed) == collection.MOST_KEPT + 3


def test_nothing_is_left_in_the_import_system_or_the_environment(make: Make) -> None:
    def seen() -> tuple[list[str], list[Any], dict[str, str]]:
        modules = [
            name for name, m in sys.modules.items() if str(getattr(m, "__file__", "")).endswith("test_public.py")
        ]
        return modules, list(sys.meta_path), {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}

    before = seen()
    status(make(), lambda: 42)
    assert seen() == before
    assert not before[0]


def test_what_tests_and_students_print_is_not_shown(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    toy = make(tests=TESTS.replace("    assert", "    print('from the test')\n    assert"))

    def chatty() -> int:
        print("from the student")
        return 42

    assert status(toy, chatty) is Status.PASSED
    assert capsys.readouterr() == ("", "")


def test_the_worker_of_the_last_run_is_not_kept_alive(make: Make) -> None:
    import gc
    import weakref

    endpoint = InProcess({"answer": lambda: 42})
    run_suites(make(), endpoint, 1, ("cpu",), hidden=True)
    gone = weakref.ref(endpoint)
    del endpoint
    gc.collect()
    assert gone() is None


TWO_TASKS = '''
import pytest

@pytest.mark.task("9.1", item="values")
def test_first(student):
    """It is 42."""
    assert student.answer() == 42

@pytest.mark.task("9.2", item="values")
def test_other(student):
    """It is even."""
    assert student.answer() % 2 == 0

@pytest.mark.task("9.1", item="errors")
def test_second(student):
    """It is no bool."""
    assert type(student.answer()) is int
'''


def test_a_task_that_is_lost_can_be_given_up_while_the_others_go_on(make: Make) -> None:
    exercise = make(tests=TWO_TASKS)

    def ran(value: int, **more: Any) -> list[tuple[str, Status]]:
        found = run_suites(exercise, InProcess({"answer": lambda: value}), 1, ("cpu",), hidden=False, **more)
        return [(outcome.test.rpartition("::")[2], outcome.status) for outcome in found]

    lost, kept = ("test_first", Status.FAILED), ("test_other", Status.PASSED)
    assert ran(44, until_lost=True) == [lost, kept]
    assert ran(44) == [lost, kept, ("test_second", Status.PASSED)], "nothing of it stays"
    assert ran(42, until_lost=True) == ran(42) != []


TORN = '''
import pytest

@pytest.fixture
def torn():
    yield
    raise OSError("no space left")

def test_answer(student, torn):
    """No task's test: nobody has judged the error."""
    assert student.answer() == 42
'''


def test_a_test_whose_fixture_fails_afterwards_has_not_passed(make: Make) -> None:
    assert status(make(tests=TORN), lambda: 42) is Status.GRADER_ERROR


MADE_ONCE = '''
import pytest

@pytest.mark.task("9.1", item="values")
def test_made_once(student, once):
    """Its expected value is made once."""
    assert student.answer() == once("expected", lambda: student.answer())
'''


def test_what_was_made_once_ends_with_the_state_of_the_process(make: Make) -> None:
    toy = make(tests=MADE_ONCE)
    assert [status(toy, lambda answer=answer: answer) for answer in (1, 2)] == [Status.PASSED, Status.FAILED]  # type: ignore[misc]
    STATE.clear()
    assert status(toy, lambda: 2) is Status.PASSED
