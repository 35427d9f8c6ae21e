"""What a test calls `student`: the same face for a module in this process and for a sandboxed worker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from autograder.runtime import memory
from autograder.runtime.dispatcher import METHOD, MODULE, Dispatcher
from autograder.runtime.errors import CrashedError, RefusedError, raised
from autograder.runtime.layouts import with_layout
from autograder.runtime.tree import tree_map
from autograder.runtime.wire import HandleRef

KINDS = {  # what the kit's functions make, in a message
    "linear": "Linear",
    "conv1d": "Conv1D",
    "embedding": "Embedding",
    "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm",
    "sequential": "Sequential",
}
MOST_SHOWN = 4  # items of a list or a dict in a message


class Endpoint(Protocol):
    """Whatever answers a request: a Dispatcher in this process, or a Worker."""

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; see dispatcher.py for its form."""

    def fresh(self) -> Endpoint:
        """The same submission in a new process, which knows nothing of the old one."""

    def evaluator(self) -> Endpoint:
        """A process like a submission's, without a submission: only the kit's own functions."""

    @property
    def methods(self) -> set[tuple[str, str]]:
        """The methods seen so far, by type and as "Meter.step": objects of one class share them; each is asked for
        once.
        """


@dataclass(frozen=True)
class Call:
    """The last call a test made. What the student's end reports of it may only cost points.

    `start_mb`, `peak_growth_mb` and `seconds` are not its word: the grader looks from outside. None where that can't
    be seen.
    """

    label: str
    arguments: tuple[tuple[Any, ...], dict[str, Any]] | None = None  # positional, keywords; None: it was no call
    mutated: tuple[str, ...] = ()
    syncs: int = 0
    device_ops: int = 0
    moved_elements: int = 0
    start_mb: float | None = None  # anonymous memory before the call; None outside of `student.measuring()`
    peak_growth_mb: float | None = None  # of anonymous memory; None outside of `student.measuring()`
    seconds: float | None = None  # that the call took, by the grader's clock; None outside of `student.measuring()`

    @property
    def text(self) -> str:
        """The call as one writes it, tensors by dtype and shape."""
        if self.arguments is None:
            return self.label
        args, kwargs = self.arguments
        return f"{self.label}({', '.join([*map(_short, args), *(f'{k}={_short(v)}' for k, v in kwargs.items())])})"


@dataclass
class Student:
    """`student.symmetric_quantization(x, bits=4)` calls the student's function of that name."""

    _endpoint: Endpoint
    last_call: Call | None = None
    calls: int = 0
    simulated: bool = field(default=False)  # set by the `device` fixture for a test's simulated run
    _measured: bool = False  # inside of `measuring()`
    allowed: tuple[str, ...] = ()  # libraries whose ready-made quantizers the calls may use

    def __getattr__(self, name: str) -> _Function:
        if name.startswith("_"):
            raise AttributeError(name)
        return _Function(self, MODULE, name, name)

    @property
    def remote(self) -> _Remote:
        """The kit's own functions at the student's end (runtime/kit): `student.remote.linear(weight)`."""
        return _Remote(self)

    def fresh(self) -> Student:
        """Go on in a new process that has only the submission's source: no object, no file of the old one."""
        self._endpoint = self._endpoint.fresh()
        return self

    def evaluator(self) -> Student:
        """The kit's functions in a jailed process without any submission, to run a file that one has made."""
        return Student(self._endpoint.evaluator())

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure the memory and the time that calls take inside of this block; `last_call` then has both."""
        self._measured = True
        try:
            yield
        finally:
            self._measured = False

    def allow(self, *libraries: str) -> None:
        """Let this test's calls use the ready-made quantizers of these libraries."""
        self.allowed = libraries

    def _ask(self, op: str, target: int, name: str, label: str, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        arguments = (args, kwargs) if op == "call" else None
        if op != "kit":  # a reader knows their own functions
            self.last_call = Call(label, arguments)
        request = {
            "op": op,
            "target": target,
            "name": name,
            "args": tree_map(_lower, tuple(args)),
            "kwargs": tree_map(_lower, kwargs),
            "simulated": self.simulated,
        }
        if self._measured:
            request["measured"] = True
            if op != "kit":
                nothing = {"target": MODULE, "args": (), "kwargs": {}}
                self._endpoint.run({**request, **nothing, "op": "kit", "name": "release_memory"})
        if self.allowed:
            request["allowed"] = self.allowed
        reply = self._endpoint.run(request)
        self.calls += 1
        facts = dict(reply["facts"])
        refused = facts.pop("refused")
        if op != "kit":
            self.last_call = Call(label, arguments, **facts)
        elif self.last_call is not None:
            self.last_call = replace(self.last_call, **facts)
        if refused and (reply["failure"] or {}).get("kind") != "undefined":
            raise RefusedError(refused[0])
        if reply["failure"]:
            raise raised(reply["failure"], label, lambda: self._words(reply["id"]))
        shown = _made(name, args) if op == "kit" else f"{label}(…)"
        return tree_map(
            lambda item: Handle(self, item, label, shown) if isinstance(item, HandleRef) else item, reply["value"]
        )

    def _words(self, request: int) -> tuple[str, str, str]:
        """Type, text and place of the exception that ended a request; asked for later, and only where it is read.

        Raises TimedOutError or Crashed when the worker ends meanwhile: that is then the call's outcome.
        """
        question = {"op": "words", "target": MODULE, "name": "", "args": (request,), "kwargs": {}, "simulated": False}
        answer = self._endpoint.run(question)["value"]
        if type(answer) is not tuple or len(answer) != 3 or not all(type(word) is str for word in answer):
            return "Exception", "(its message could not be read)", ""
        return answer


class _Remote:
    """`student.remote`: each attribute is a function of runtime/kit, called at the student's end."""

    def __init__(self, student: Student) -> None:
        self._student = student

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self._student._ask("kit", MODULE, name, f"kit.{name}", args, kwargs)


class _Function:
    """A function of the module, or a method of an object: it can be called."""

    def __init__(self, student: Student, target: int, name: str, label: str) -> None:
        self._parts = student, target, name, label

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it with plain values, tensors and handles."""
        student, target, name, label = self._parts
        return student._ask("call", target, name, label, args, kwargs)

    def __getattr__(self, name: str) -> _Function:
        """A function of a class: `student.QuantizedLinear.from_float(layer)`."""
        if name.startswith("_"):
            raise AttributeError(name)
        student, target, owner, label = self._parts
        return _Function(student, target, f"{owner}.{name}", f"{label}.{name}")


class Handle:
    """An object of the student's that stays where it is; `type_name` says what it is."""

    def __init__(self, student: Student, ref: HandleRef, label: str, shown: str) -> None:
        self._student, self._ref, self._label, self._shown = student, ref, label, shown
        self.type_name = ref.type_name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        student, number, label = self._student, self._ref.number, f"{self._label}.{name}"
        methods = student._endpoint.methods
        if (self.type_name, label) not in methods:
            value = student._ask("get", number, name, label)
            if type(value) is not str or value != METHOD:
                return value
            methods.add((self.type_name, label))
        return _Function(student, number, name, label)

    def read(self, *names: str) -> tuple[Any, ...]:
        """Several attributes at once: `scale, zero_point = quantizer.read("scale", "zero_point")`."""
        label = f"{self._label}.{' and .'.join(names)}"
        values = self._student._ask("read", self._ref.number, "", label, names)
        if type(values) is not tuple or len(values) != len(names):
            raise CrashedError("the worker answered something that was not asked")
        return values

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object itself, as a module is called on its input."""
        return self._student._ask("call", self._ref.number, "", self._label, args, kwargs)

    def __repr__(self) -> str:
        """Where it came from, which the test knows: what the student's end calls it could carry values."""
        return f"<{self._shown}>"


class InProcess:
    """The endpoint for a module in this process: exceptions keep their traceback, so a debugger can be used."""

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace
        self._session = Dispatcher(namespace, interruptible=True)
        self.methods: set[tuple[str, str]] = set()

    def fresh(self) -> InProcess:
        """The same namespace, without the objects that it has made: in one process there is no more to forget."""
        return InProcess(self._namespace)

    def evaluator(self) -> InProcess:
        """An empty namespace."""
        return InProcess({})

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request, on copies: an answer that works in place spoils no test's own tensors, as in the
        grader.
        """
        request = request | {name: tree_map(_copy, request[name]) for name in ("args", "kwargs")}
        if not request.get("measured"):
            return self._session.run(request)
        started = time.perf_counter()
        with memory.Watch() as watch:
            reply = self._session.run(request)
        reply["facts"] |= {
            "start_mb": watch.start_mb,
            "peak_growth_mb": watch.growth_mb,
            "seconds": time.perf_counter() - started,
        }
        return reply


def _copy(item: Any) -> Any:
    return item.clone() if isinstance(item, torch.Tensor) else item


def _lower(item: Any) -> Any:
    """An item of a request: a handle's reference, a tensor with its layout."""
    if isinstance(item, Handle):
        return item._ref
    return with_layout(item) if isinstance(item, torch.Tensor) else item


def _values(value: object) -> str:
    """Numbers as a reader writes them: 0.507, not the float32's 0.5070000290870667."""
    if isinstance(value, list):
        return f"[{', '.join(map(_values, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _made(name: str, args: tuple[Any, ...]) -> str:
    """Name what a function of the kit made, by class or by its place in a model."""
    match name, args:
        case "model", (str() as kind, *_):
            return kind
        case "submodule", (_, str() as place, *_):
            return f"layer {place}"
    return KINDS.get(name, name)


def _short(value: object) -> str:
    if isinstance(value, torch.Tensor):
        kind = f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
        small = value.numel() <= 8 and value.device.type == "cpu"
        return f"{kind} {_values(value.tolist())}" if small else kind
    if isinstance(value, Handle):
        return repr(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_short(item)}' for key, item in list(value.items())[:MOST_SHOWN])}}}"
    if isinstance(value, list | tuple):
        more = [f"… {len(value)} in all"] if len(value) > MOST_SHOWN else []
        return f"[{', '.join([*map(_short, value[:MOST_SHOWN]), *more])}]"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
