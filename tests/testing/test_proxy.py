"""The proxy that tests talk to: what it asks the student's end, and how often."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from autograder.records import Limits
from autograder.runtime.errors import CrashedError
from autograder.sandbox.worker import Worker
from autograder.testing import expect
from autograder.testing.proxy import InProcess, Student

TWO_CLASSES = """
    class Meter:
        def __init__(self):
            self.reading = 0

        def step(self):
            self.reading += 1
            return self.reading

    class Stairs:
        step = 7

    class Silent(Meter):
        @property
        def step(self):
            raise AttributeError("no step")
"""


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def student(asked: list[str]) -> Iterator[Student]:
    """In the worker, where all classes of the student's own go by one name."""
    with Worker(textwrap.dedent(TWO_CLASSES), Limits()) as worker:

        class Spy:
            methods = worker.methods

            def run(self, request: dict[str, Any]) -> dict[str, Any]:
                asked.append(f"{request['op']} {request['name']}")
                return worker.run(request)

        yield Student(Spy())


def test_a_method_is_looked_up_once_for_all_objects_of_a_class(student: Student, asked: list[str]) -> None:
    first, second = student.Meter(), student.Meter()
    assert [first.step(), first.step(), second.step()] == [1, 2, 1]
    assert asked == ["call Meter", "call Meter", "get step", "call step", "call step", "call step"]


def test_a_method_is_looked_up_once_a_submission(student: Student, asked: list[str]) -> None:
    student.Meter().step()
    Student(student._endpoint).Meter().step()
    assert asked == ["call Meter", "get step", "call step", "call Meter", "call step"]


def test_several_attributes_are_read_at_once(student: Student, asked: list[str]) -> None:
    meter = student.Meter()
    meter.step()
    assert meter.read("reading", "reading") == (1, 1)
    assert asked[-1] == "read "
    with pytest.raises(AttributeError, match="nothing"):
        meter.read("reading", "nothing")


@pytest.mark.parametrize("value", [7, (7,), [7, 7], None])
def test_what_is_no_answer_to_such_a_question_is_the_workers_fault(student: Student, value: Any) -> None:
    meter = student.Meter()

    class Forger:
        methods: set[tuple[str, str]] = set()  # noqa: RUF012

        def run(self, request: dict[str, Any]) -> dict[str, Any]:
            facts = {"mutated": (), "syncs": 0, "device_ops": 0, "moved_elements": 0, "refused": ()}
            return {"value": value, "failure": None, "facts": facts}

    student._endpoint = Forger()
    with pytest.raises(CrashedError):
        meter.read("reading", "reading")


def test_a_value_is_read_each_time(student: Student) -> None:
    meter = student.Meter()
    meter.step()
    first = meter.reading
    meter.step()
    assert (first, meter.reading) == (1, 2)


def test_a_method_of_one_class_is_no_method_of_another(student: Student) -> None:
    assert student.Meter().step() == 1
    assert student.Stairs().step == 7
    with pytest.raises(AttributeError, match="no step"):
        student.Silent().step()


LAYOUTS = """
    def seen(x):
        return x.shape, x.stride(), x

    def overwritten(x):
        x.mul_(2)
        return x
"""


@pytest.mark.parametrize("in_process", [True, False])
def test_a_view_is_a_view_in_every_process(in_process: bool) -> None:
    """The student's code gets a view with its strides, at home as in the grader, and it is never the test's own."""
    source = textwrap.dedent(LAYOUTS)
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    with Worker(source, Limits()) as worker:
        student = Student(InProcess(namespace) if in_process else worker)
        for name, view in expect.layouts(torch.arange(24.0).reshape(2, 3, 4)):
            shape, stride, values = student.seen(view)
            assert (tuple(shape), tuple(stride)) == (tuple(view.shape), view.stride()), name
            assert values.equal(view)
        view = torch.arange(6.0).reshape(2, 3).t()
        assert student.overwritten(view).equal(2 * view)
        assert student.last_call is not None
        assert student.last_call.mutated == ("argument 1",)
        assert view.equal(torch.arange(6.0).reshape(2, 3).t())
