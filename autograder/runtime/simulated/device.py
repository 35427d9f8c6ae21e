"""A device that isn't there, with real values: what fails on a GPU is seen failing on any machine.

`torch.device("sim:0")` is torch's spare backend (PrivateUse1) with kernels that run on the CPU, on the same
memory, after objecting where CUDA would: operands on two devices, `.numpy()`, operations that only the
CPU has. A tensor on it is an ordinary `torch.Tensor`; views, autograd, parameters, modules and threads
are torch's own, and no dispatch mode is involved. A session counts what costs time on a GPU.

Setting the device up takes 20 to 50 ms, once a process; a session costs 1 µs, an operation 10 to 30 µs
more than on the CPU. As with CUDA, autograd gives the device a thread: no backward pass before a fork.

The API underneath is private to torch (2.13 here): where it is missing, `available()` is false and says why.
"""

from __future__ import annotations

import functools
import threading
from types import TracebackType
from typing import Any

import torch

from autograder.runtime.simulated import kernels as ops
from autograder.runtime.simulated.cuda_rules import DEVICE, DeviceError
from autograder.runtime.simulated.kernels import Ledger

__all__ = [
    "DEVICE",
    "DeviceError",
    "Ledger",
    "available",
    "is_simulated",
    "session",
    "to_device",
    "to_host",
    "unavailable_reason",
]

_NAME = "sim"
_swap: Any = torch.utils.swap_tensors
_lock = threading.Lock()


def available() -> bool:
    """Whether this torch can simulate a device; the first call sets the device up (about 40 ms)."""
    return not unavailable_reason()


def unavailable_reason() -> str:
    """One sentence why there is no simulated device here; empty where there is one."""
    with _lock:
        return _set_up()[0]


@functools.cache
def _set_up() -> tuple[str, list[Any]]:
    """Register the device once a process and try it.

    Return what went wrong, if anything did, and the registrations, which last as long as these objects.
    """
    taken = torch._C._get_privateuse1_backend_name()
    if taken != "privateuseone":
        return f"The simulated device needs torch's spare backend, which {taken!r} has taken in this process.", []
    cannot = f"torch {torch.__version__} can't simulate a device"
    registrations: list[Any] = []
    try:
        accelerator = torch._C._accelerator_getAccelerator()
        _register_backend()
        _patch_torch(accelerator)
        registrations += ops.register()
        works = ops.to_host(ops.to_device(torch.ones(2)) + 1).tolist() == [2.0, 2.0]
    except Exception as error:  # private API: it may fail in any way
        return f"{cannot} ({type(error).__name__}: {error}); use torch 2.13.", registrations
    return "" if works else f"{cannot} (a sum came out wrong); use torch 2.13.", registrations


def is_simulated(tensor: torch.Tensor) -> bool:
    """Whether a tensor lies on the simulated device."""
    return tensor.device.type == DEVICE.type


def to_device(tensor: torch.Tensor) -> torch.Tensor:
    """Return a detached copy of a dense tensor on the simulated device; never counted."""
    _demand()
    if is_simulated(tensor):
        return tensor
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise DeviceError(f"expected a dense tensor for the simulated device, got {tensor.layout}: use to_dense()")
    return ops.to_device(tensor.detach().cpu().clone())


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """Return a detached CPU copy of a tensor's present values; never counted."""
    if not is_simulated(tensor):
        return tensor.detach().cpu()
    return ops.to_host(tensor.detach()).clone().resolve_conj().resolve_neg()


class session:
    """Count what happens on the simulated device, in every thread, until the block ends.

    Sessions nest; the innermost counts. Opening one costs about a microsecond once the device is set up.
    Raises DeviceError where there is no simulated device.
    """

    def __enter__(self) -> Ledger:
        _demand()
        self._ledger = ops.SESSIONS.begin()
        return self._ledger

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ops.SESSIONS.end(self._ledger)


def _demand() -> None:
    if reason := unavailable_reason():
        raise DeviceError(reason)


# ---------------------------------------------------------------- what torch needs besides kernels


def _register_backend() -> None:
    """Name the backend; it counts as an available accelerator only while a session is open."""
    from torch.utils import backend_registration as registration  # noqa: PLC0415 - private: may be missing

    class Module(registration._DummyBackendModule):
        def is_available(self) -> bool:
            return bool(ops.SESSIONS)

        def synchronize(self, device: Any = None) -> None:
            pass

        def get_rng_state(self, device: Any = None) -> torch.Tensor:
            return torch.get_rng_state()  # random kernels draw on the CPU

        def set_rng_state(self, state: torch.Tensor, device: Any = None) -> None:
            torch.set_rng_state(state)

        def get_amp_supported_dtype(self) -> list[torch.dtype]:
            return [torch.float16, torch.bfloat16]

    class Hooks(registration._DummyPrivateUse1Hook):
        def is_available(self) -> bool:
            return bool(ops.SESSIONS)

    registration._setup_privateuseone_for_python_backend(_NAME, Module(), Hooks())


def _patch_torch(accelerator: torch.device | None) -> None:
    """Teach torch what it asks of a device in C++; for other devices nothing changes.

    `accelerator` is the one that this machine has.
    """
    torch.UntypedStorage.clone = _storage_clone(torch.UntypedStorage.clone)  # type: ignore[method-assign]
    torch.nn.Module._apply = _module_apply(torch.nn.Module._apply)  # type: ignore[method-assign]
    torch._tensor_str._tensor_str = _tensor_str(torch._tensor_str._tensor_str)
    torch.accelerator.current_accelerator = _current_accelerator(torch.accelerator.current_accelerator, accelerator)
    torch.accelerator.synchronize = _synchronize(torch.accelerator.synchronize)


def _storage_clone(original: Any) -> Any:
    """copy.deepcopy of a tensor clones its storage, for which a Python backend has no allocator."""

    @functools.wraps(original)
    def clone(self: Any) -> Any:
        return ops.clone_storage(self) if self.device.type == DEVICE.type else original(self)

    return clone


def _module_apply(original: Any) -> Any:
    """Module.to keeps Parameter objects on CUDA, and so tied weights; a spare backend gets new ones."""

    @functools.wraps(original)
    def apply(self: Any, fn: Any, recurse: bool = True) -> Any:
        before = dict(self._parameters)
        result = original(self, fn, recurse)
        for key, old in before.items():
            new = self._parameters[key]
            if new is not old and DEVICE.type in (old.device.type, new.device.type):
                try:
                    _swap(old, new)
                except RuntimeError:  # something else holds the tensor, such as a live autograd graph
                    continue
                old.__dict__, new.__dict__ = new.__dict__, old.__dict__
                self._parameters[key] = old
        return result

    return apply


def _tensor_str(original: Any) -> Any:
    """Printing is for people: a printed tensor is one synchronisation, not one an element."""

    @functools.wraps(original)
    def text(self: torch.Tensor, indent: int) -> Any:
        if not is_simulated(self):
            return original(self, indent)
        ops.SESSIONS.ledger.syncs += 1
        return original(ops.to_host(self), indent)

    return text


def _current_accelerator(original: Any, before: torch.device | None) -> Any:
    """The accelerator is the simulated device while a session is open, else what it was before."""

    @functools.wraps(original)
    def current_accelerator(check_available: bool = False) -> torch.device | None:
        if ops.SESSIONS:
            return torch.device(_NAME)
        usable = before is not None and (not check_available or torch.get_device_module(before).is_available())
        return before if usable else None

    return current_accelerator


def _synchronize(original: Any) -> Any:
    """There is nothing to wait for here; a real accelerator beside the simulated one is waited for."""

    @functools.wraps(original)
    def synchronize(device: Any = None, /) -> None:
        real = torch.accelerator.current_accelerator(check_available=True)
        if real is not None and not ops.SESSIONS:
            torch.get_device_module(real).synchronize(device)

    return synchronize
