"""The student's end of a call: finds the function, calls it, and says what happened in plain values.

The same code serves both ways: in the student's own process (`check`, pytest) and in the sandboxed worker.
A request names a target (0 is the module, other numbers are objects kept here), a name and arguments;
the reply holds a value or a failure, and facts that may only cost points.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import functools
import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from autograder.runtime import blocked_apis, kit
from autograder.runtime.layouts import Strided
from autograder.runtime.simulated import device as simulated
from autograder.runtime.tree import tree_items, tree_map
from autograder.runtime.wire import DTYPES, VALUE_DEPTH, HandleRef, raw_bytes

MODULE = 0
PLAIN = (type(None), bool, int, float, str, bytes, torch.dtype, torch.device)
CALLS_MODELS = ("logits", "output")  # of the kit's functions
RUNS_ONNX = ("onnx_logits",)  # of the kit's functions; the others may come to the student's code
COMPARE_LIMIT = 1 << 24  # elements; above, an argument is not copied to see whether it was changed


OBJECTS_PER_REQUEST = 1 << 20  # more than a reply can name


def first_object(request: int) -> int:
    """The number of the first object that is kept in the answer to the request of this number."""
    return request * OBJECTS_PER_REQUEST


def no_facts() -> dict[str, Any]:
    """What is said of a call in which nothing happened that may cost a point."""
    return {"mutated": (), "syncs": 0, "device_ops": 0, "moved_elements": 0, "refused": ()}


class Dispatcher:
    """One student's module and the objects it made, for as long as they are tested."""

    def __init__(self, namespace: Mapping[str, Any], interruptible: bool = False) -> None:
        self.namespace = namespace
        self.interruptible = interruptible  # a student's own process: Ctrl-C stops the check, and there is no jail
        self.objects: dict[int, Any] = {}
        self.next_number = 1

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; whatever the student's code does becomes part of the reply."""
        facts = no_facts()
        if "id" in request:  # what an object is called depends on nothing that was asked before
            self.next_number = first_object(request["id"])
        blocked_apis.reset()
        allowed = _allowed(request)
        on_device = simulated.session() if request["simulated"] else contextlib.nullcontext()
        with on_device as ledger, blocked_apis.allowing(allowed) if allowed else contextlib.nullcontext():
            try:
                value, failure = self._answer(request, facts), None
            except BaseException as error:  # SystemExit is an answer, too
                if self.interruptible and isinstance(error, KeyboardInterrupt):
                    raise
                value, failure = None, failure_of(error)
                if not self.interruptible and _wants_a_process(error):
                    failure["kind"] = "jailed"
            if ledger is not None:
                facts |= {"syncs": ledger.syncs, "device_ops": ledger.ops, "moved_elements": ledger.moved_elements}
        facts["refused"] = tuple(blocked_apis.calls())
        return {"value": value, "failure": failure, "facts": facts}

    def _answer(self, request: dict[str, Any], facts: dict[str, Any]) -> Any:
        owner, name = request["target"], request["name"]
        args, kwargs = self._take(request["args"]), self._take(request["kwargs"])
        if request["op"] == "get":
            value = getattr(self.objects[owner], name)
            return METHOD if inspect.isroutine(value) else self._give(value)
        if request["op"] == "read":
            return tuple(self._give(getattr(self.objects[owner], attribute)) for attribute in args)
        function = _own_work(name) if request["op"] == "kit" else self._find(owner, name)
        containers = [(path, value, tree_map(lambda item: item, value)) for path, value in _named(args, kwargs)]
        contents = [(path, tensor, _content(tensor)) for path, tensor in _tensors(args, kwargs)]
        try:
            return self._give(function(*args, **kwargs))
        finally:
            rewritten = [path for path, value, copy in containers if not _holds(value, copy)]
            overwritten = [path for path, tensor, content in contents if _content(tensor) != content]
            facts["mutated"] = tuple(dict.fromkeys(rewritten + overwritten))

    def _find(self, owner: int, name: str) -> Callable[..., Any]:
        if owner != MODULE:
            target = self.objects[owner]
            return getattr(target, name) if name else target  # type: ignore[no-any-return]
        first, *inner = name.split(".")  # "QuantizedLinear.from_float" is a function of a class
        if first not in self.namespace:
            raise NotDefinedError(first)
        return functools.reduce(getattr, inner, self.namespace[first])  # type: ignore[no-any-return]

    def _take(self, value: Any) -> Any:
        """Arguments as the student's code gets them: handles become the objects they stand for, layouts tensors."""
        return tree_map(self._taken, value)

    def _taken(self, item: Any) -> Any:
        if isinstance(item, HandleRef):
            return self.objects[item.number]
        return item.tensor() if isinstance(item, Strided) else item

    def _give(self, value: Any, depth: int = 0) -> Any:
        """A result as it may travel: plain data by value, everything else as a handle."""
        if type(value) in PLAIN:
            return value
        plain = _plain(value)
        if plain is not NOT_PLAIN:
            return plain
        if depth < VALUE_DEPTH and isinstance(value, list | tuple) and len(value) <= 10_000:
            items = [self._give(item, depth + 1) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        if depth < VALUE_DEPTH and isinstance(value, dict) and len(value) <= 10_000:
            return {self._give(k, depth + 1): self._give(v, depth + 1) for k, v in value.items()}
        return self._keep(value)

    def _keep(self, value: Any) -> HandleRef:
        number, self.next_number = self.next_number, self.next_number + 1
        self.objects[number] = value
        return HandleRef(number, type_name(value))


def _own_work(name: str) -> Callable[..., Any]:
    """One of the kit's functions, run as torch is when it is imported, whatever a student's code has set.

    Those that call the student's model are run as that code has set it.
    """
    function = kit.FUNCTIONS[name]
    return function if name in CALLS_MODELS else _with_defaults(function)


def _with_defaults(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        dtype, random = torch.get_default_dtype(), torch.get_rng_state()
        torch.set_default_dtype(torch.float32)
        try:
            with torch.enable_grad():
                return function(*args, **kwargs)
        finally:
            torch.set_default_dtype(dtype)
            torch.set_rng_state(random)

    return run


def _allowed(request: dict[str, Any]) -> tuple[str, ...]:
    """The libraries whose ready-made quantizers this call may use; the kit itself runs ONNX files, and calls models."""
    allowed = tuple(request.get("allowed", ()))
    if request["op"] == "kit" and request["name"] in RUNS_ONNX:
        allowed = (*allowed, "onnxruntime")
    return (*allowed, "onnx") if "onnxruntime" in allowed else allowed  # it is built on it


class NotDefinedError(Exception):
    """The student's module has no such name."""


METHOD = "\x00method"  # stands for "this attribute is a method: call it"
NOT_PLAIN = object()


def type_name(value: object) -> str:
    """`numpy.ndarray` for an array, `Calibrator` for a class of the student's own; tensors say their kind."""
    if isinstance(value, torch.Tensor):
        return f"torch.Tensor ({str(value.dtype).removeprefix('torch.')}, {str(value.layout).removeprefix('torch.')})"
    kind = type(value)
    module = "" if kind.__module__ in ("builtins", "__main__", "student") else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"[:200]


def _plain(value: object) -> Any:
    if isinstance(value, torch.Tensor):
        if (
            _has_bytes(value)
            and value.layout is torch.strided
            and value.dtype in DTYPES.values()
            and not value.is_quantized
        ):
            return value.detach()
        return NOT_PLAIN
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and not hasattr(value, "__len__"):
        return value.item()  # type: ignore[attr-defined]  # np.float32(…) and its like are numbers
    for kind in (bool, int, float, str, bytes):
        if isinstance(value, kind):  # an IntEnum, np.float64, a str subclass
            return kind(value)  # type: ignore[arg-type]
    return NOT_PLAIN


def _named(args: Any, kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for index, value in [*enumerate(args), *kwargs.items()]:
        yield (f"argument {index + 1}" if isinstance(index, int) else f"argument {index!r}"), value


def _holds(value: Any, copy: Any) -> bool:
    """Whether containers hold what their copies hold: no entry taken out, put in or replaced."""
    if type(copy) in (list, tuple):
        return type(value) in (list, tuple) and len(value) == len(copy) and all(map(_holds, value, copy))
    if type(copy) is dict:
        return (
            type(value) is dict and value.keys() == copy.keys() and all(_holds(value[key], copy[key]) for key in copy)
        )
    return value is copy


def _tensors(args: Any, kwargs: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in _named(args, kwargs):
        for item in tree_items(value):
            if isinstance(item, torch.Tensor) and _has_bytes(item) and item.numel() <= COMPARE_LIMIT:
                yield name, item


def _has_bytes(tensor: torch.Tensor) -> bool:
    """Whether it is no tensor that only stands for others, such as one of a fake CUDA."""
    return type(tensor).__torch_dispatch__ is torch.Tensor.__torch_dispatch__


def _content(tensor: torch.Tensor) -> tuple[torch.Size, torch.dtype, bytes]:
    """A tensor's shape, dtype and bytes: NaN is itself here, and -0 is not 0."""
    plain = tensor if tensor.device.type == "cpu" else simulated.to_host(tensor)
    return tensor.shape, tensor.dtype, raw_bytes(plain).tobytes()


def _takes_a_text(kind: type[Exception]) -> bool:
    """Whether it can be raised anew of its text alone; a UnicodeError and an ExceptionGroup can't."""
    try:
        return str(kind("text")).strip("'") == "text"
    except TypeError:
        return False


BUILTIN_ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, OSError) and _takes_a_text(kind)
}
BUILTIN_ERRORS["OSError"] = OSError


def failure_of(error: BaseException) -> dict[str, Any]:
    """What the other end needs to know of an exception: kind, nearest built-in type, text, place."""
    if isinstance(error, NotDefinedError):
        kind = "undefined"
    elif isinstance(error, NotImplementedError):
        kind = "missing"
    elif isinstance(error, blocked_apis.BlockedCallError):
        kind = "refused"
    else:
        kind = "raised"
    nearest = next((c.__name__ for c in type(error).__mro__ if BUILTIN_ERRORS.get(c.__name__) is c), "")
    return {
        "kind": kind,
        "builtin": nearest,
        "type": type(error).__name__[:200],
        "text": _text(error),
        "where": _place(error),
        "error": error,
    }


_STARTS_PROCESSES = re.compile(r"[/\\](multiprocessing[/\\]\w+|subprocess|concurrent[/\\]futures[/\\]process)\.py$")


def _wants_a_process(error: BaseException | None) -> bool:
    """Whether it is the jail's answer to a DataLoader with workers, torch.compile, a pool, or subprocess."""
    for _ in range(10):  # exceptions that another one caused
        if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EACCES, errno.ENOENT, errno.ENOSYS):
            frames = traceback.walk_tb(error.__traceback__)
            if any(_STARTS_PROCESSES.search(frame.f_code.co_filename) for frame, _ in frames):
                return True
        error = (error.__cause__ or error.__context__) if error else None
    return False


def _text(error: BaseException) -> str:
    try:
        return str(error)[:2000].encode("utf-8", "replace").decode()
    except BaseException:  # a student's own __str__ may do anything
        return "(its message could not be read)"


def _place(error: BaseException) -> str:
    """The innermost line of the student's own code in the traceback: 'line 12, in quantize'."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith("<student"):
            place = f"line {line}, in {frame.f_code.co_name}"
    return place
