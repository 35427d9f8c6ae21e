"""A call means the same in the student's own process and in the sandboxed worker: values, objects, errors, facts."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType

import pytest
import torch

from autograder.records import Limits
from autograder.runtime.dispatcher import BUILTIN_ERRORS, Dispatcher, failure_of, type_name
from autograder.runtime.errors import CrashedError, MissingError, StudentError, message_of
from autograder.runtime.simulated import device as simulated
from autograder.runtime.wire import VALUE_DEPTH
from autograder.sandbox.replies import OTHER_TENSOR
from autograder.sandbox.worker import Worker
from autograder.submission import loading
from autograder.testing.proxy import Endpoint, Handle, InProcess, Student

Open = Callable[[str], AbstractContextManager[Student]]


@contextmanager
def in_process(source: str) -> Iterator[Student]:
    yield Student(InProcess(vars(loading.load_module(textwrap.dedent(source), "student").module)))


@contextmanager
def in_worker(source: str) -> Iterator[Student]:
    with Worker(textwrap.dedent(source), Limits()) as worker:
        yield Student(worker)


@pytest.fixture(params=[in_process, in_worker], ids=["in process", "in the worker"])
def opened(request: pytest.FixtureRequest) -> Open:
    return request.param  # type: ignore[no-any-return]


# ---------------------------------------------------------------------------------- values

VALUES = [
    None,
    True,
    0,
    -(2**70),
    1.5,
    math.inf,
    "文",
    b"\x00",
    [],
    (),
    {},
    [1, (2, [3.0])],
    {"a": (1,), 2: None},
    torch.int8,
    torch.device("cpu"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values_return_as_they_came(opened: Open, value: object) -> None:
    with opened("def echo(x): return x") as student:
        back = student.echo(value)
        assert back == value
        assert type(back) is type(value)


def test_tensors_return_detached_with_dtype_and_shape(opened: Open) -> None:
    with opened("def echo(x): return x") as student:
        for x in (
            torch.tensor(3),
            torch.zeros(0, 2),
            torch.ones(2, 3, dtype=torch.bfloat16).t(),
            torch.nn.Parameter(torch.ones(2)),
        ):
            back = student.echo(x)
            assert back.dtype is x.dtype
            assert back.shape == x.shape
            assert back.equal(x.detach())
            assert not back.requires_grad


OWN_NUMBERS = {
    "numpy.float32(1.5)": 1.5,
    "numpy.int64(3)": 3,
    "numpy.bool_(True)": True,
    "numpy.float64(2)": 2.0,
    "Level.LOW": 2,
    "Name('x')": "x",
    "Pair(1, 2)": (1, 2),
    "collections.OrderedDict(a=1)": {"a": 1},
    "collections.defaultdict(int, b=2)": {"b": 2},
    "List([1])": [1],
}


@pytest.mark.parametrize("expression", OWN_NUMBERS)
def test_relatives_of_plain_values_arrive_as_plain_values(opened: Open, expression: str) -> None:
    source = f"""
        import collections, enum, numpy
        Pair = collections.namedtuple("Pair", "a b")
        class Level(enum.IntEnum): LOW = 2
        class Name(str): pass
        class List(list): pass
        def f(): return {expression}
    """
    with opened(source) as student:
        value = student.f()
        assert value == OWN_NUMBERS[expression]
        assert type(value) is type(OWN_NUMBERS[expression])


HANDLES = {
    "numpy.ones(2)": "numpy.ndarray",
    "{1, 2}": "set",
    "(i for i in [])": "generator",
    "lambda: 0": "function",
    "torch.eye(2).to_sparse()": "torch.Tensor (float32, sparse_coo)",
    "1j": "complex",
    "torch.ones(2, dtype=torch.complex64)": "torch.Tensor (complex64, strided)",
    "list(range(10_001))": "list",
}


@pytest.mark.parametrize("expression", HANDLES)
def test_anything_else_arrives_as_a_handle_that_says_its_type(opened: Open, expression: str) -> None:
    with opened(f"import numpy, torch\ndef f(): return {expression}") as student:
        value = student.f()
        assert type(value) is Handle
        rare = opened is in_worker and HANDLES[expression].startswith("torch.Tensor")  # of which the grader says less
        assert value.type_name == (OTHER_TENSOR if rare else HANDLES[expression])
        assert expression not in repr(value) or expression == "set"


def test_nesting_below_the_limit_of_the_wire_becomes_a_handle(opened: Open) -> None:
    source = f"def f():\n  x = 0\n  for _ in range({VALUE_DEPTH + 20}): x = [x]\n  return x"
    with opened(source) as student:
        value, depth = student.f(), 0
        while type(value) is list:
            value, depth = value[0], depth + 1
        assert depth == VALUE_DEPTH
        assert type(value) is Handle


def test_handles_are_arguments_too(opened: Open) -> None:
    source = "class A:\n  def __init__(self, n): self.n = n\ndef total(a, others, named): return a.n + sum(o.n for o in others) + named['x'].n"
    with opened(source) as student:
        assert student.total(student.A(1), [student.A(2), student.A(4)], named={"x": student.A(8)}) == 15


def test_attributes_methods_and_calls_of_a_handle(opened: Open) -> None:
    source = """
        class Quantizer:
            levels = [1, 2]
            def __init__(self): self.scale = None
            def calibrate(self, x): self.scale = x.max(); return self
            @property
            def ready(self): return self.scale is not None
            @staticmethod
            def bits(): return 8
            @classmethod
            def make(cls): return cls()
            def __call__(self, x): return x * 2
    """
    with opened(source) as student:
        q = student.Quantizer()
        assert q.scale is None
        assert q.ready is False
        assert type(q.calibrate(torch.tensor([1.0, 3.0]))) is Handle
        assert float(q.scale) == 3.0
        assert q.ready is True
        assert q.levels == [1, 2]
        assert q.bits() == 8
        assert q.make().scale is None
        assert q(4) == 8
        with pytest.raises(AttributeError, match="sacle"):
            q.sacle


# ---------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "kind", [ValueError, TypeError, KeyError, IndexError, RuntimeError, ZeroDivisionError, AssertionError, OSError]
)
def test_built_in_errors_come_back_as_themselves(opened: Open, kind: type[Exception]) -> None:
    with (
        opened(f"def f(): raise {kind.__name__}('bits is 9')") as student,
        pytest.raises(kind, match="bits is 9") as caught,
    ):
        student.f()
    assert caught.type is kind
    words = message_of(caught.value)
    assert words is not None
    assert words.place == "line 1, in f"


def test_a_class_of_its_own_comes_back_as_the_built_in_that_it_is(opened: Open) -> None:
    with (
        opened("class BadBits(ValueError): pass\ndef f(): raise BadBits('9')") as student,
        pytest.raises(ValueError, match="9"),
    ):
        student.f()


def test_torchs_errors_come_back_as_what_they_derive_from(opened: Open) -> None:
    source = "import torch\ndef f(): torch.ones(2) @ torch.ones(3)\ndef g(): torch.ones(2)[5]\ndef h(): raise torch.cuda.OutOfMemoryError('x')"
    with opened(source) as student:
        for function, kind in ((student.f, RuntimeError), (student.g, IndexError), (student.h, RuntimeError)):
            with pytest.raises(kind):
                function()


@pytest.mark.parametrize("error", ["SystemExit(3)", "Exception('x')", "Mine('x')", "GeneratorExit()"])
def test_errors_without_a_built_in_counterpart(opened: Open, error: str) -> None:
    with (
        opened(f"class Mine(BaseException): pass\ndef f(): raise {error}") as student,
        pytest.raises((StudentError, Exception)) as caught,
    ):
        student.f()
    assert caught.type in (StudentError, Exception)


def test_not_written_yet_is_missing_whichever_way(opened: Open) -> None:
    source = "def stub(): raise NotImplementedError('write it in task 1.1')\nclass A:\n  def f(self): raise NotImplementedError"
    with opened(source) as student:
        for call, text in (
            (student.stub, "write it in task 1.1"),
            (student.absent, "absent is not defined yet"),
            (lambda: student.A().f(), "is not written yet"),
        ):
            with pytest.raises(MissingError, match=text):
                call()


def test_an_error_that_can_not_be_told_is_still_an_error(opened: Open) -> None:
    source = """
        class Odd(ValueError):
            def __str__(self): raise SystemExit
        def f(): raise Odd()
        def g(): raise ValueError("x" * 10**6)
        def h(): raise ExceptionGroup("several", [ValueError("one")])
        def i(): raise type("\\u202e", (Exception,), {})("text")
    """
    with opened(source) as student:
        for function in (student.f, student.g, student.h, student.i):
            with pytest.raises(Exception):  # noqa: B017 - that it is none of the BaseExceptions is the claim
                function()
    with in_worker(source) as student, pytest.raises(ValueError, match="x") as caught:
        student.g()
    assert len(str(caught.value)) == 2000


def test_the_place_is_the_students_own_line_not_ours() -> None:
    source = "import torch\n\ndef f(x):\n  return inner(x)\n\ndef inner(x):\n  return torch.ones(2) @ x\n"
    with in_worker(source) as student:
        with pytest.raises(RuntimeError) as caught:
            student.f(torch.ones(3))
        words = message_of(caught.value)
        assert words is not None
        assert words.place == "line 7, in inner"


def test_words_that_nobody_has_any_more_are_said_to_be_unreadable() -> None:
    with in_worker("def f(n): raise ValueError(f'no {n}')\ndef g(): import os; os._exit(0)") as student:
        raised = []
        for n in range(100):
            with pytest.raises(ValueError) as caught:
                student.f(n)
            raised.append(caught.value)
        assert [str(raised[-1]), str(raised[0])] == ["no 99", "(its message could not be read)"]
        with pytest.raises(CrashedError):
            student.g()
        assert str(raised[-2]) == "(its message could not be read)"
        assert str(raised[-1]) == "no 99"  # it has been read


def test_control_c_stops_a_check_and_not_a_worker() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    request = {"op": "call", "target": 0, "name": "f", "args": (), "kwargs": {}, "simulated": False}
    with pytest.raises(KeyboardInterrupt):
        Dispatcher({"f": interrupt}, interruptible=True).run(request)
    assert Dispatcher({"f": interrupt}).run(request)["failure"]["type"] == "KeyboardInterrupt"


# ---------------------------------------------------------------------------------- facts


def test_what_a_call_changed_in_place_is_told_by_argument(opened: Open) -> None:
    source = """
        def first(x, y): x.add_(1); return y
        def named(x, *, y): y.zero_()
        def inside(tensors): tensors[1].mul_(2)
        def none(x, y): x + 1; return x
        def resized(x): x.unsqueeze_(0)
        def fails(x): x.fill_(9); raise ValueError("late")
    """
    x = torch.ones(2)
    with opened(source) as student:
        for call, changed in (
            (lambda: student.first(x.clone(), x), ("argument 1",)),
            (lambda: student.named(x, y=x.clone()), ("argument 'y'",)),
            (lambda: student.inside([x, x.clone()]), ("argument 1",)),
            (lambda: student.none(x, x), ()),
            (lambda: student.resized(x.clone()), ("argument 1",)),
        ):
            call()
            assert student.last_call is not None
            assert student.last_call.mutated == changed
        with pytest.raises(ValueError, match="late"):
            student.fails(x.clone())
        assert student.last_call.mutated == ("argument 1",)


def test_what_a_call_took_out_of_a_container_is_a_change(opened: Open) -> None:
    """Out of a batch, of a list of batches, of a dict of dicts; what is put in, or replaced by its equal, too."""
    source = """
        def takes(batch): batch.pop("labels"); return batch["ids"]
        def puts(batch): batch["more"] = 1
        def replaces(batch): batch["ids"] = batch["ids"].clone()
        def shortens(batches): batches.pop()
        def inside(batches): batches[0].pop("labels")
        def deep(plan): plan["a"][2] = 0.5
        def reads(batch, batches, plan): batch = dict(batch); batch.pop("labels"); batches = batches[:1]; return plan["a"][2]
    """
    batch = {"ids": torch.ones(2), "labels": torch.zeros(2)}
    plan = {"a": {2: math.nan, 4: 0.5}}
    with opened(source) as student:
        for call, changed in (
            (lambda: student.takes(batch), ("argument 1",)),
            (lambda: student.puts(batch=batch), ("argument 'batch'",)),
            (lambda: student.replaces(batch), ("argument 1",)),
            (lambda: student.shortens([batch, batch]), ("argument 1",)),
            (lambda: student.inside([batch, batch]), ("argument 1",)),
            (lambda: student.deep(plan), ("argument 1",)),
            (lambda: student.reads(batch, [batch, batch], plan), ()),
        ):
            call()
            assert student.last_call is not None
            assert student.last_call.mutated == changed


def test_nan_is_not_a_change(opened: Open) -> None:
    """NaN differs from itself; the bytes do not."""
    with opened("def f(x): return x") as student:
        student.f(torch.tensor([math.nan, 1.0]))
        assert student.last_call is not None
        assert student.last_call.mutated == ()


@pytest.mark.skipif(not simulated.available(), reason=simulated.unavailable_reason())
def test_work_on_the_simulated_device_is_counted_and_stays_there(opened: Open) -> None:
    source = """
        def good(x): return (x * 2).sum()
        def moved(x): return x.cpu().sum()
        def stepwise(x): return [v.item() for v in x]
    """
    with opened(source) as student, simulated.session():
        student.simulated = True
        x = simulated.to_device(torch.arange(8.0))
        result = student.good(x)
        assert simulated.is_simulated(result)
        assert float(simulated.to_host(result)) == 56.0
        assert student.last_call is not None
        assert (student.last_call.syncs, student.last_call.moved_elements) == (0, 0)
        assert student.last_call.device_ops >= 2
        assert not simulated.is_simulated(student.moved(x))
        assert student.last_call.moved_elements == 8
        student.stepwise(x)
        assert student.last_call.syncs >= 8


def test_what_was_called_is_told_in_a_line(opened: Open) -> None:
    with opened("def f(*a, **k): pass\nclass A:\n  def g(self): pass") as student:
        student.f(torch.ones(2, 8), [1, 2], "x" * 99, bits=8)
        assert student.last_call is not None
        assert student.last_call.text == f"f(float32[2, 8], [1, 2], '{'x' * 56}…, bits=8)"
        student.f(torch.tensor([1, 2]))
        assert student.last_call.text == "f(int64[2] [1, 2])"
        student.A().g()
        assert student.last_call.text == "A.g()"
        batches = [{"input_ids": torch.ones(2, 9, dtype=torch.int64)}] * 6
        layer, inner = student.remote.linear(torch.ones(3, 3)), student.A()
        student.f(student.remote.submodule(student.remote.sequential(layer), "0"), layer, inner, batches)
        shown = ", ".join(["{input_ids: int64[2, 9]}"] * 4)
        assert student.last_call.text == f"f(<layer 0>, <Linear>, <A(…)>, [{shown}, … 6 in all])"


# ---------------------------------------------------------------------------------- the pieces


def test_the_failure_of_an_exception_says_kind_type_and_nearest_built_in() -> None:
    class Odd(LookupError):
        pass

    failure = failure_of(Odd("x"))
    assert (failure["kind"], failure["builtin"], failure["type"], failure["text"]) == (
        "raised",
        "LookupError",
        "Odd",
        "x",
    )


def test_an_exception_that_takes_more_than_a_text_is_told_by_the_nearest_one_that_does_not() -> None:
    failure = failure_of(ExceptionGroup("two at once", [ValueError("a"), KeyError("b")]))
    assert (failure["builtin"], failure["type"]) == ("Exception", "ExceptionGroup")
    assert set(BUILTIN_ERRORS).isdisjoint({"ExceptionGroup", "UnicodeDecodeError"})
    for name, kind in BUILTIN_ERRORS.items():
        assert isinstance(kind("text"), Exception), name


def test_names_of_types_leave_out_what_says_nothing() -> None:
    class Local:
        pass

    Local.__module__ = "student"
    assert type_name(Local()).endswith("Local")
    assert not type_name(Local()).startswith("student")
    assert type_name(ModuleType("m")) == "module"
    assert len(type_name(type("x" * 999, (), {})())) <= 200


def test_both_ends_are_endpoints() -> None:
    ends: list[Endpoint] = [InProcess({}), Worker("", Limits())]
    assert all(callable(end.run) for end in ends)


def test_a_student_has_no_private_names() -> None:
    with in_process("_x = 1") as student, pytest.raises(AttributeError):
        student._x
