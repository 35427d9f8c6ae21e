"""The pytest plugin: from a test file and a student's module to outcomes, on a toy exercise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.rubrics import rubric_toml

from autograder.course.catalog import load_exercise
from autograder.records import Exercise, Outcome, Status
from autograder.runtime.errors import CrashedError, TimedOutError
from autograder.testing.plugin import run_suites
from autograder.testing.proxy import InProcess

TOML = """
[exercise]
title = { en = "Toy", "zh-TW" = "玩具" }
[[task]]
id = "9.1"
functions = ["double"]
points = 4
title = { en = "Double", "zh-TW" = "加倍" }
hint = { en = "Think of 2.", "zh-TW" = "想想 2。" }
""" + rubric_toml(values=60, errors=40)
PUBLIC = '''
import pytest, torch
from autograder.testing import expect

@pytest.mark.task("9.1", item="values")
def test_doubles(student, rng, device):
    """double(x) is twice x."""
    x = torch.randn(4, generator=rng)
    y = student.double(x.to(device))
    assert y.device == device
    expect.close(y.cpu(), 2 * x, "the result", rtol=0, atol=0, lookalikes={"you squared x": x * x})

@pytest.mark.task("9.1", item="errors")
def test_rejects_text(student):
    """Text is a TypeError."""
    with pytest.raises(TypeError):
        student.double("text")
'''
HIDDEN = '''
import pytest, torch

@pytest.mark.task("9.1", item="values")
def test_secret(student):
    """double works for 4242."""
    y = student.double(torch.tensor(4242.0))
    assert y == 8484, f"expected 8484, got {y}"
'''


@pytest.fixture
def toy(tmp_path: Path) -> Exercise:
    folder, solution = tmp_path / "exercises" / "09_toy", tmp_path / "solutions" / "09_toy"
    folder.mkdir(parents=True)
    solution.mkdir(parents=True)
    (folder / "exercise.toml").write_text(TOML)
    (folder / "test_public.py").write_text(PUBLIC)
    (solution / "test_hidden.py").write_text(HIDDEN)
    return load_exercise(folder, tmp_path / "solutions")


def run(toy: Exercise, double: Any = None, hidden: bool = True, **more: Any) -> dict[str, Outcome]:
    namespace = {"double": double} if double else {}
    outcomes = run_suites(toy, InProcess(namespace), more.get("seed", 1), ("cpu", "simulated"), hidden=hidden)
    return {outcome.test.rpartition("::")[2]: outcome for outcome in outcomes}


def right(x: Any) -> Any:
    if isinstance(x, str):
        raise TypeError("no text")
    return 2 * x


def test_a_right_answer_passes_everywhere(toy: Exercise) -> None:
    found = run(toy, right)
    assert {name: o.status for name, o in found.items()} == dict.fromkeys(
        ("test_doubles", "test_rejects_text", "test_secret"), Status.PASSED
    )
    assert [o.hidden for o in found.values()] == [False, False, True]
    assert [o.item for o in found.values()] == ["values", "errors", "values"]
    assert found["test_doubles"].claim == "double(x) is twice x."


def test_a_function_that_is_not_there_is_missing(toy: Exercise) -> None:
    found = run(toy)
    assert {o.status for o in found.values()} == {Status.MISSING}
    assert "double is not defined yet" in found["test_doubles"].message


def test_not_implemented_is_missing_even_where_an_error_is_expected(toy: Exercise) -> None:
    def stub(x: Any) -> Any:
        raise NotImplementedError("write double")

    assert {o.status for o in run(toy, stub).values()} == {Status.MISSING}


def test_a_public_failure_shows_the_diagnosis_and_the_call(toy: Exercise) -> None:
    message = run(toy, lambda x: x * x)["test_doubles"].message
    assert "you squared x" in message
    assert "called: double(float32[4] [" in message


def test_a_hidden_failure_shows_no_value(toy: Exercise) -> None:
    found = run(toy, lambda x: x + 1)["test_secret"]
    assert found.status is Status.FAILED
    assert not any(text in found.message for text in ("4242", "8484", "4243"))


def test_an_error_in_a_hidden_test_shows_only_its_type(toy: Exercise) -> None:
    def tells(x: Any) -> Any:
        raise ValueError(f"the input was {x}")

    assert run(toy, tells)["test_secret"].message == "the call raised ValueError"


def test_a_student_exception_in_a_public_test_shows_its_text(toy: Exercise) -> None:
    def breaks(x: Any) -> Any:
        raise KeyError("scale")

    assert "KeyError: 'scale'" in run(toy, breaks)["test_doubles"].message


def test_system_exit_is_a_failure(toy: Exercise) -> None:
    assert run(toy, lambda x: sys.exit(0))["test_doubles"].status is Status.FAILED


@pytest.mark.parametrize(("error", "status"), [(TimedOutError, Status.TIMED_OUT), (CrashedError, Status.CRASHED)])
def test_a_dead_worker_is_no_pass_even_where_an_error_is_expected(toy: Exercise, error: Any, status: Status) -> None:
    def dies(request: dict[str, Any]) -> dict[str, Any]:
        raise error("gone")

    outcomes = run_suites(toy, SimpleNamespace(run=dies), 1, ("cpu",), hidden=True)
    assert {o.status for o in outcomes} == {status}


def test_a_test_is_one_outcome_over_all_devices(toy: Exercise) -> None:
    """This answer moves the result off the device: right on the CPU, wrong on the simulated device."""
    found = run(toy, lambda x: 2 * x.cpu())
    assert found["test_doubles"].status is Status.FAILED
    assert found["test_doubles"].message.startswith("on the simulated device:")
    assert found["test_secret"].status is Status.PASSED


def test_inputs_are_the_same_on_every_device_and_differ_by_seed(toy: Exercise) -> None:
    seen: list[list[float]] = []

    def spy(x: Any) -> Any:
        if not isinstance(x, str) and x.dim():
            seen.append(x.tolist())
        return right(x)

    run(toy, spy, hidden=False, seed=1)
    run(toy, spy, hidden=False, seed=2)
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_a_bug_in_a_test_is_our_error_not_the_students(toy: Exercise) -> None:
    assert toy.solution is not None
    (toy.solution / "test_hidden.py").write_text(HIDDEN.replace("y = student", "nonsense\n    y = student"))
    found = run(toy, right)["test_secret"]
    assert found.status is Status.GRADER_ERROR
    assert "NameError" in found.message


def test_a_test_file_that_cannot_be_loaded_withholds(toy: Exercise) -> None:
    assert toy.solution is not None
    (toy.solution / "test_hidden.py").write_text("import nonexistent_module\n")
    outcomes = run_suites(toy, InProcess({"double": right}), 1, ("cpu",), hidden=True)
    assert any(o.status is Status.GRADER_ERROR and "nonexistent_module" in o.message for o in outcomes)


def test_a_skipped_test_is_our_error(toy: Exercise) -> None:
    assert toy.solution is not None
    (toy.solution / "test_hidden.py").write_text(HIDDEN.replace('    """double', '    pytest.skip()\n    """double'))
    assert run(toy, right)["test_secret"].status is Status.GRADER_ERROR


def test_a_result_of_the_wrong_form_is_a_failure_in_plain_words(toy: Exercise) -> None:
    found = run(toy, lambda x: None)
    assert found["test_doubles"].status is Status.FAILED
    assert found["test_secret"].status is Status.FAILED


def test_one_task_can_be_run_alone_and_hidden_tests_only_join_when_asked(toy: Exercise) -> None:
    assert len(run_suites(toy, InProcess({}), 1, ("cpu",), hidden=False, only={"9.1"})) == 2
    assert run_suites(toy, InProcess({}), 1, ("cpu",), hidden=False, only={"9.9"}) == ()


def plain_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("pytest")
    return subprocess.run([program, "-q", "-p", "no:cacheprovider"], cwd=folder, capture_output=True, text=True)


def test_plain_pytest_in_the_students_folder_runs_the_public_tests(toy: Exercise) -> None:
    (toy.folder / "09_toy.py").write_text('def double(x):\n    return 2 * x if hasattr(x, "dim") else x + 0\n')
    done = plain_pytest(toy.folder)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_plain_pytest_shows_the_judgement_instead_of_a_traceback(toy: Exercise) -> None:
    (toy.folder / "09_toy.py").write_text("def double(x):\n    return x * x\n")
    done = plain_pytest(toy.folder)
    assert "you squared x" in done.stdout
    assert "Traceback" not in done.stdout
    assert "expect.py" not in done.stdout


def test_plain_pytest_without_a_notebook_says_what_was_expected(toy: Exercise) -> None:
    assert "Expected 09_toy.ipynb" in plain_pytest(toy.folder).stdout


def test_an_answer_that_works_in_place_spoils_no_tensor_of_the_tests(toy: Exercise) -> None:
    """At home as in the grader: the mistake costs where it is tested, not where the test compares with its input."""

    def in_place(x: Any) -> Any:
        return right(x) if isinstance(x, str) else x.mul_(2)

    assert {o.status for o in run(toy, in_place).values()} == {Status.PASSED}


ONCE = '''
import pytest
import torch

@pytest.mark.task("9.1", item="values")
def test_drawn_once(student, once, rng):
    """The first draw is made once a class, the second by every student, and both are the same for all."""
    first = once("first", lambda: (student.seen("made"), torch.rand(1, generator=rng))[1])
    student.seen(float(first))
    student.seen(float(torch.rand(1, generator=rng)))
'''


def test_what_is_made_once_leaves_the_same_inputs_to_every_student(toy: Exercise) -> None:
    (toy.folder / "test_public.py").write_text(ONCE)
    seen: list[list[object]] = []
    for _ in range(2):
        seen.append([])
        run_suites(toy, InProcess({"seen": seen[-1].append}), 1, ("cpu",), hidden=False)
    assert seen[0] == ["made", *seen[1]]
    assert len(seen[1]) == 2
