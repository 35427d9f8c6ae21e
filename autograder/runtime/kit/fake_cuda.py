"""A pretended CUDA for one question of task 3.5: is the clock read when the device is done, before and after a call?

Tensors here say that they lie on cuda:0 and compute on the CPU, and torch's functions answer as if CUDA were there. A
probe's seconds pass in a queue: its call returns at once, and whoever waits sleeps until the queue is done. So the
times that a benchmark finds are right or wrong by themselves, and no clock is replaced.

A recorder that only replaces torch's functions (25 lines) sees five of the fifteen ways of waiting in
tests/runtime/test_fake_cuda.py, and not the reference's own. Right answers first ask whether there is a CUDA: they ask
torch, the model, its inputs or its outputs, also by functions that were imported earlier. They wait by a stream, an
event, `torch.accelerator` or a value that they read.
"""

from __future__ import annotations

import contextlib
import time
import types
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from autograder.runtime.kit.stand_ins import Probe, warm_up

CUDA = torch.device("cuda", 0)
_READS = ("_local_scalar_dense", "equal", "is_nonzero", "item", "nonzero")  # a value comes to the host
_undo = contextlib.ExitStack()  # how torch was before `cuda_begins`


class _Device:
    """The work that the device was given: all of it is done at `done_s`, by `time.perf_counter`."""

    def __init__(self) -> None:
        self.done_s = 0.0

    def reaches_s(self) -> float:
        """Return when it would begin with what it is given now."""
        return max(self.done_s, time.perf_counter())

    def work(self, seconds: float) -> None:
        self.done_s = self.reaches_s() + seconds

    def wait(self, *_: Any, **__: Any) -> None:
        time.sleep(max(0.0, self.done_s - time.perf_counter()))

    def is_idle(self) -> bool:
        return self.done_s <= time.perf_counter()


DEVICE = _Device()


class OnCuda(Tensor):
    """A tensor that says that it lies on cuda:0, around one on the CPU."""

    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> OnCuda:
        """Around a dense tensor on the CPU."""
        tensor = Tensor._make_wrapper_subclass(cls, host.shape, host.stride(), dtype=host.dtype, device=CUDA)
        tensor.host = host
        return tensor

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.to, Tensor.cuda) and not _name_the_host((*args[1:], *(kwargs or {}).values())):
            return args[0]  # torch would ask the driver before it finds that there is nothing to do
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        to_host = _name_the_host((kwargs or {}).values())
        if to_host or func.overloadpacket.__name__ in _READS:
            DEVICE.wait()
        on_host = pytree.tree_map_only(OnCuda, lambda tensor: tensor.host, (args, kwargs or {}))
        host_args, host_kwargs = pytree.tree_map_only(torch.device, lambda _: torch.device("cpu"), on_host)
        result = func(*host_args, **host_kwargs)
        return result if to_host else pytree.tree_map_only(Tensor, cls, result)


def _name_the_host(arguments: Iterable[Any]) -> bool:
    """Whether one of them is another device, or its name."""
    return any(isinstance(item, str | torch.device) and torch.device(item).type != CUDA.type for item in arguments)


class _Queue:
    """A stream or an event. An event stands where the device is when all that it was given before is done."""

    device = CUDA

    def __init__(self, *_: Any, **__: Any) -> None:
        self.record()

    def synchronize(self) -> None:
        DEVICE.wait()

    def record(self, stream: Any = None) -> None:
        self.recorded_s = DEVICE.reaches_s()

    def record_event(self, event: _Queue | None = None) -> _Queue:
        event = event or _Queue()
        event.record()
        return event

    def elapsed_time(self, end: _Queue) -> float:
        return (end.recorded_s - self.recorded_s) * 1e3

    def query(self) -> bool:
        return DEVICE.is_idle()


def on_cuda(tensor: Tensor) -> Tensor:
    """A copy that says that it lies on cuda:0."""
    return OnCuda(tensor.detach().clone())


def cuda_begins(module: Probe) -> None:
    """Move a probe to a fake CUDA, for which torch's functions speak until `cuda_ends`."""
    warm_up()  # what is imported meanwhile would find a CUDA
    cuda_ends()
    module.table = torch.nn.Parameter(on_cuda(module.table), requires_grad=False)
    DEVICE.done_s = 0.0  # whoever did not wait has left it some work
    _replace(module, "spend", DEVICE.work)
    for (owner, name), answer in ANSWERS.items():
        function = getattr(owner, name)
        if isinstance(function, types.FunctionType) and not function.__code__.co_freevars:
            _replace(function, "__code__", _forward.__code__)  # under its other names, too
            _replace(function, "__kwdefaults__", {"_answer": answer})
        else:
            _replace(owner, name, answer)


def cuda_ends() -> None:
    """Nothing is pretended any more; the probe stays where it is."""
    _undo.close()


def _replace(owner: Any, name: str, value: Any) -> None:
    _undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _forward(*args: Any, _answer: Callable[..., Any], **kwargs: Any) -> Any:
    return _answer(*args, **kwargs)


ANSWERS: dict[tuple[Any, str], Callable[..., Any]] = {
    (torch.cuda, "is_available"): lambda: True,
    (torch.cuda, "is_initialized"): lambda: True,
    (torch.cuda, "device_count"): lambda: 1,
    (torch.cuda, "current_device"): lambda: 0,
    (torch.cuda, "synchronize"): DEVICE.wait,
    (torch.cuda, "current_stream"): _Queue,
    (torch.cuda, "default_stream"): _Queue,
    (torch.cuda, "Stream"): _Queue,
    (torch.cuda, "Event"): _Queue,
    (torch, "Event"): _Queue,
    (torch.accelerator, "is_available"): lambda: True,
    (torch.accelerator, "current_accelerator"): lambda check_available=False: torch.device("cuda"),
    (torch.accelerator, "synchronize"): DEVICE.wait,
    (torch.accelerator, "current_stream"): _Queue,
}
