"""A CUDA that isn't there, for one question: does who takes the time of a model wait until the device has finished?

The simulated device finds what fails on a GPU; but code asks for CUDA by name, and waits in many ways, or not where
there is none. Tensors here say that they lie on cuda:0 and compute on the CPU, and torch's functions answer as if CUDA
were there; what waits is noted with the last call of a probe. The functions get other code in place: aliases, too.
"""

from __future__ import annotations

import functools
import time
import types
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from autograder.runtime.kit.stand_ins import Probe, warm_up

CUDA = torch.device("cuda", 0)
_WAIT = ("_local_scalar_dense", "equal", "is_nonzero", "item", "nonzero")  # a value comes to the host
_probes: list[Probe] = []
_changed: list[tuple[Any, str, Any]] = []  # objects, their attributes and what these were


class OnCuda(Tensor):
    """A tensor that says that it lies on cuda:0, around one on the CPU."""

    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> OnCuda:
        """Around a dense tensor on the CPU."""
        made = Tensor._make_wrapper_subclass(
            cls, host.shape, host.stride(), host.storage_offset(), dtype=host.dtype, device=CUDA
        )
        made.host = host
        return made

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.to, Tensor.cuda) and not _to_host((*args[1:], *(kwargs or {}).values())):
            return args[0]  # torch would ask the driver before it finds that there is nothing to do
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        to_host = _to_host((kwargs or {}).values())
        if to_host or func.overloadpacket.__name__ in _WAIT:
            _wait()
        given = pytree.tree_map(_to_cpu, (args, kwargs or {}))
        found = func(*given[0], **given[1])
        return found if to_host else pytree.tree_map(lambda part: cls(part) if type(part) is Tensor else part, found)


def _to_host(arguments: Iterable[Any]) -> bool:
    """Whether one of them is another device, or its name."""
    return any(isinstance(given, str | torch.device) and torch.device(given).type != CUDA.type for given in arguments)


def _to_cpu(part: Any) -> Any:
    if isinstance(part, torch.device):
        return torch.device("cpu")
    return part.host if isinstance(part, OnCuda) else part


def _wait(*_: Any, **__: Any) -> None:
    for probe in _probes:
        if probe.calls:
            probe.calls[-1]["waited"] = True


class _Stream:
    def __init__(self, *_: Any, **__: Any) -> None:
        self.device = CUDA

    synchronize = _wait

    def record_event(self, event: _Event | None = None) -> _Event:
        made = event or _Event()
        made.record()
        return made


class _Event:
    """Events are read when all is over: the time between two of them is the device's own."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.at = 0.0

    def record(self, stream: Any = None) -> None:
        self.at = time.perf_counter()

    def elapsed_time(self, end: _Event) -> float:
        for probe in _probes:
            for call in probe.calls:
                call["waited"] = True
        return (end.at - self.at) * 1e3

    synchronize = _wait

    def query(self) -> bool:
        return True


def on_cuda(tensor: Tensor) -> Tensor:
    """A copy that says that it lies on cuda:0."""
    return OnCuda(tensor.detach().clone())


def cuda_begins(module: Probe) -> None:
    """Move a probe to a pretended CUDA, for which torch's functions speak until `cuda_ends`."""
    warm_up()  # what is imported meanwhile would find a CUDA
    cuda_ends()
    module.table = torch.nn.Parameter(on_cuda(module.table), requires_grad=False)
    _probes.append(module)
    for name, answer in ANSWERS.items():
        module_name, _, attribute = name.rpartition(".")
        owner = functools.reduce(getattr, module_name.split(".")[1:], torch)
        own = getattr(owner, attribute)
        if isinstance(own, types.FunctionType) and not own.__code__.co_freevars:
            _changed.append((own, "__code__", own.__code__))
            own.__code__ = _asking(name)
        else:
            _changed.append((owner, attribute, own))
            setattr(owner, attribute, answer)


def cuda_ends() -> None:
    """Nothing is pretended any more; the probe stays where it is."""
    while _changed:
        setattr(*_changed.pop())
    _probes.clear()


def _asking(name: str) -> types.CodeType:
    """Code that asks for the answer when it runs: a function keeps its own module's names."""
    scope: dict[str, Any] = {}
    exec(
        "def answered(*args, **kwargs):\n"
        "    from autograder.runtime.kit.fake_cuda import ANSWERS\n"
        f"    return ANSWERS[{name!r}](*args, **kwargs)\n",
        scope,
    )
    code: types.CodeType = scope["answered"].__code__
    return code


ANSWERS: dict[str, Callable[..., Any]] = {
    "torch.cuda.is_available": lambda: True,
    "torch.cuda.is_initialized": lambda: True,
    "torch.cuda.device_count": lambda: 1,
    "torch.cuda.current_device": lambda: 0,
    "torch.cuda.synchronize": _wait,
    "torch.cuda.current_stream": _Stream,
    "torch.cuda.default_stream": _Stream,
    "torch.cuda.Stream": _Stream,
    "torch.cuda.Event": _Event,
    "torch.Event": _Event,
    "torch.accelerator.is_available": lambda: True,
    "torch.accelerator.current_accelerator": lambda check_available=False: torch.device("cuda"),
    "torch.accelerator.synchronize": _wait,
    "torch.accelerator.current_stream": _Stream,
}
