"""The kernels of the simulated device: every operation runs on the CPU, on the same memory.

A simulated tensor is an ordinary `torch.Tensor` of torch's spare backend (PrivateUse1) whose storage points
at memory that a CPU tensor owns; DLPack carries it there and back without a copy. So views, autograd,
`data_ptr()` and parameters are torch's own, and a kernel here only asks whether CUDA would have run the
operation, runs it on CPU aliases, and labels the result.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from typing import Any

import torch

from autograder.runtime.simulated.cuda_rules import CHECKS, DEVICE, EXACT, WAITS, DeviceError, refuse_mixed

CPU = torch.device("cpu")
_CPU_KEY = torch._C.DispatchKey.CPU


@dataclass(eq=False)  # sessions nest: each ledger is itself, whatever it counts
class Ledger:
    """What one session did.

    `ops` operations run on the simulated device, `syncs` waits for it, and `moved_elements` elements moved to
    the CPU two or more at a time (a single one is a wait).
    """

    ops: int = 0
    syncs: int = 0
    moved_elements: int = 0

    def moved(self, elements: int) -> None:
        """Book a transfer to the CPU: one element is a synchronisation, more are a move."""
        if elements == 1:
            self.syncs += 1
        else:
            self.moved_elements += elements


class Sessions:
    """The ledgers of this process's open sessions, innermost last: of all threads, for autograd has its own."""

    def __init__(self) -> None:
        self._open: list[Ledger] = []
        self._unread = Ledger()  # for what happens while no session is open

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def ledger(self) -> Ledger:
        """The ledger that counts."""
        return self._open[-1] if self._open else self._unread

    def begin(self) -> Ledger:
        """Open a session."""
        self._open.append(Ledger())
        return self._open[-1]

    def end(self, ledger: Ledger) -> None:
        """Close the session of this ledger, which need not be the innermost."""
        self._open.remove(ledger)


SESSIONS = Sessions()

# ---------------------------------------------------------------- one memory, two devices

_DLPACK_CPU, _DLPACK_EXTENSION = 1, 12  # DLDeviceType
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_two_int32 = ctypes.c_int64.from_address  # device_type and device_id, which follow the data pointer


def _relabelled(tensor: torch.Tensor, device_type: int) -> torch.Tensor:
    """Return a tensor over the same memory on another device; autograd does not see it."""
    capsule = torch._C._to_dlpack(tensor)
    _two_int32(_pointer(capsule, b"dltensor") + 8).value = device_type
    other: torch.Tensor = torch._C._from_dlpack(capsule)
    return other


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """Return a CPU tensor over the memory of a simulated one; a tensor elsewhere is returned as it is."""
    if tensor.device != DEVICE:
        return tensor
    host = _relabelled(tensor, _DLPACK_CPU)
    if tensor.is_conj():  # lazy bits that DLPack does not carry
        host = host.conj()
    return torch._neg_view(host) if tensor.is_neg() else host


def to_device(tensor: torch.Tensor) -> torch.Tensor:
    """Return a simulated tensor over the memory of a dense CPU tensor."""
    return _relabelled(tensor, _DLPACK_EXTENSION)


def clone_storage(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    """Return a copy of a simulated storage."""
    shared = torch._C._construct_storage_from_data_pointer(storage.data_ptr(), CPU, storage.nbytes())
    copy = torch.empty(storage.nbytes(), dtype=torch.uint8)
    copy.copy_(torch.empty(0, dtype=torch.uint8).set_(shared))
    return to_device(copy).untyped_storage()


# ---------------------------------------------------------------- kernels


_PLAIN = frozenset((int, float, bool, type(None), torch.dtype, torch.device))


class Kernel:
    """The simulated device's kernel of one operation: objects as CUDA would, else runs it on CPU aliases."""

    def __init__(self, op: Any) -> None:
        packet = op._schema.name.partition("::")[2]
        self.op = op
        self.name = packet if packet.startswith("__") else packet.removesuffix("_")
        self.check = CHECKS.get(self.name)
        self.exact = self.name in EXACT
        self.waits = self.name in WAITS
        arguments = op._schema.arguments
        self.operands = [i for i, a in enumerate(arguments) if not a.kwarg_only and str(a.type) == "Tensor"]
        self.writes = [a.name for a in arguments if _is_written(a)]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Count, check, and run the operation on the CPU; its results come back on the simulated device."""
        ledger = SESSIONS.ledger
        ledger.ops += 1
        ledger.syncs += self.waits
        tensors: list[torch.Tensor] = []
        host_args = [self.host(a, tensors) for a in args]
        host_kwargs = {k: self.host(v, tensors) for k, v in kwargs.items()} if kwargs else {}
        if self.check:
            self.check(self.name, tensors)
        op = self.op
        for i in self.operands:  # torch hands x & 15 over as it was written, which not every overload takes
            if i < len(args) and not isinstance(args[i], torch.Tensor):
                op = op.overloadpacket
                break
        if self.writes:
            return self._write(op, args, kwargs, host_args, host_kwargs)
        wanted = host_kwargs.get("device")
        if wanted is not None:
            host_kwargs["device"] = CPU
            if wanted.type != DEVICE.type:  # zeros_like(x, device="cpu")
                return op(*host_args, **host_kwargs).to(wanted)
        return on_device(op(*host_args, **host_kwargs))

    def host(self, value: Any, tensors: list[torch.Tensor]) -> Any:
        """Return the CPU alias of a simulated tensor; raise DeviceError for one that CUDA would not take."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is list or kind is tuple:
            return [self.host(v, tensors) for v in value]
        if isinstance(value, torch.Tensor):
            tensors.append(value)
            if value.device == DEVICE:
                return to_host(value)
            if self.exact or not value.is_cpu or value.dim():
                raise refuse_mixed(self.name, value.device)
        elif isinstance(value, torch.Generator) and value.device.type != DEVICE.type:
            raise DeviceError(
                f"Expected a '{DEVICE.type}' device type for generator but found '{value.device.type}'; "
                "draw on the CPU and move the result with .to(device)"
            )
        return value

    def _write(self, op: Any, args: Any, kwargs: Any, host_args: list[Any], host_kwargs: dict[str, Any]) -> Any:
        """Run an operation that writes to its arguments, and return those that it returns."""
        schema = self.op._schema
        arguments = dict(zip((a.name for a in schema.arguments), args, strict=False)) | kwargs
        targets = {name: arguments[name] for name in self.writes if isinstance(arguments.get(name), torch.Tensor)}
        for name, target in targets.items():
            if target.device.type != DEVICE.type:
                raise refuse_mixed(self.name, target.device)
            if name in host_kwargs and not target.numel():  # out=: memory behind DLPack can't grow
                host_kwargs[name] = torch.empty_like(host_kwargs[name])
        result = op(*host_args, **host_kwargs)
        for name in targets.keys() & host_kwargs.keys():
            if host_kwargs[name].shape != targets[name].shape:
                targets[name].data = to_device(host_kwargs[name])
        results = result if isinstance(result, tuple) else (result,)
        returned = tuple(
            arguments[_alias(schema, r)] if _is_written(r) else on_device(value)
            for r, value in zip(schema.returns, results, strict=False)
        )
        return returned if isinstance(result, tuple) else returned[0] if returned else None


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _alias(schema: Any, returned: Any) -> str:
    """Return the name of the argument that a return value is."""
    sets = returned.alias_info.before_set
    return str(next(a.name for a in schema.arguments if a.alias_info and a.alias_info.before_set == sets))


def on_device(result: Any) -> Any:
    """Return a result of CPU kernels as the simulated device's."""
    if isinstance(result, torch.Tensor):
        if result.is_conj() or result.is_neg():
            result = result.resolve_conj().resolve_neg()
        return _relabelled(result, _DLPACK_EXTENSION)
    if isinstance(result, list | tuple):
        return type(result)(map(on_device, result))
    return result


class Native(Kernel):
    """An operation on sizes and strides alone: torch's own code runs on the simulated tensor as it is."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the operation as it is."""
        SESSIONS.ledger.ops += 1
        return self.op._op_dk(_CPU_KEY, *args, **kwargs)


class Indexing(Kernel):
    """x[i] and x[i] = v: index tensors may lie on the CPU, and so may a single value."""

    def __call__(self, base: torch.Tensor, indices: Any, *rest: Any, **kwargs: Any) -> Any:
        """Bring indices and a single value to the tensor's device, as CUDA does; count a mask as a wait."""
        used = [i for i in indices if i is not None]
        if base.is_cpu and not all(i.is_cpu for i in used):
            raise DeviceError(
                "indices should be either on cpu or on the same device as the indexed tensor (cpu), "
                f"but got one on {DEVICE}, the simulated device"
            )
        if base.is_cpu and rest and not rest[0].dim():
            return self._from_device(base, indices, *rest, **kwargs)
        masks = any(i.dtype in (torch.bool, torch.uint8) for i in used)
        fills = bool(rest) and rest[0].numel() == 1 and len(used) == 1  # then it is a masked_fill_
        if masks and not fills:
            SESSIONS.ledger.syncs += 1
        if fills and masks and rest[0].is_cpu:
            rest = (rest[0].reshape(()), *rest[1:])
        indices = [to_device(i) if i is not None and i.is_cpu else i for i in indices]
        return super().__call__(base, indices, *rest, **kwargs)

    def _from_device(self, base: torch.Tensor, indices: Any, value: torch.Tensor, *rest: Any, **kwargs: Any) -> Any:
        SESSIONS.ledger.ops += 1
        SESSIONS.ledger.moved(1)
        return self.op(base, indices, to_host(value), *rest, **kwargs)


class Copy(Kernel):
    """copy_: between any two devices; towards the CPU it is booked."""

    def __call__(self, target: torch.Tensor, source: torch.Tensor, *rest: Any) -> torch.Tensor:
        """Copy `source` into `target`."""
        SESSIONS.ledger.ops += 1
        if target.is_cpu:
            SESSIONS.ledger.moved(source.numel())
        to_host(target).copy_(to_host(source))
        return target


class ToCopy(Kernel):
    """to(device=…, dtype=…), of a simulated tensor: towards the CPU it is booked."""

    def __call__(self, source: torch.Tensor, *, device: torch.device | None = None, **kwargs: Any) -> torch.Tensor:
        """Return `source` on another device or in another dtype."""
        SESSIONS.ledger.ops += 1
        copy: torch.Tensor = self.op(to_host(source), **kwargs)
        if device is None or device.type == DEVICE.type:
            return to_device(copy)
        SESSIONS.ledger.moved(source.numel())
        return copy if device.type == "cpu" else copy.to(device)


class Resize(Kernel):
    """resize_: memory behind DLPack can't grow, so the tensor is given new memory."""

    def __call__(self, tensor: torch.Tensor, size: Any, **_: Any) -> torch.Tensor:
        """Resize `tensor`."""
        if tuple(tensor.shape) != tuple(size):
            host = torch.empty(size, dtype=tensor.dtype)
            common = min(host.numel(), tensor.numel())
            host.view(-1)[:common] = to_host(tensor).reshape(-1)[:common]
            tensor.data = to_device(host)
        return tensor


class Convolution(Kernel):
    """Convolutions, which reach a spare backend under a name of their own."""

    def __init__(self, op: Any) -> None:
        super().__init__(op)
        self.op = getattr(torch.ops.aten, op._schema.name.partition("::")[2].replace("_overrideable", "")).default

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run torch's own convolution; its backward takes the bias's sizes too, which may be unknown."""
        args = (*args[:3], None, *args[3:]) if "backward" in self.name else args
        return super().__call__(*args, **kwargs)


class Zeros(Kernel):
    """The zeros of autograd, which elsewhere have no memory."""

    def __init__(self, _: Any) -> None:
        super().__init__(torch.ops.aten.zeros.default)


class Histc(Kernel):
    """histc reads the extremes of the data where no range is given."""

    def __call__(self, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Count the values of `tensor` per bin."""
        if len(args) < 3:
            SESSIONS.ledger.syncs += 1
        return super().__call__(tensor, *args, **kwargs)


_SPECIAL: dict[str, type[Kernel]] = {
    **dict.fromkeys(("as_strided", "view", "_reshape_alias", "unfold", "view_as_real", "view_as_complex"), Native),
    **dict.fromkeys(("set_", "set_.source_Storage_storage_offset", "set_.source_Tensor"), Native),
    **dict.fromkeys(("index.Tensor", "_index_put_impl_"), Indexing),
    **dict.fromkeys(("convolution_overrideable", "convolution_backward_overrideable"), Convolution),
    "copy_": Copy,
    "_to_copy": ToCopy,
    "resize_": Resize,
    "histc": Histc,
    "_efficientzerotensor": Zeros,
}
_DIRECT = frozenset(  # torch would compose these of two or three kernels; one is faster
    [
        "abs",
        "zeros",
        "ones",
        "full",
        "zeros_like",
        "ones_like",
        "full_like",
        "clone",
        "stack",
        "scalar_tensor",
        "fill_.Scalar",
    ]
)


class Lazy:
    """A kernel that is made when it is first needed: reading 1,100 schemas would take too long."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the kernel."""
        return self.kernel(*args, **kwargs)

    @functools.cached_property
    def kernel(self) -> Kernel:
        """The kernel of this operation."""
        packet, _, overload = self.name.partition(".")
        return _SPECIAL.get(self.name, Kernel)(getattr(getattr(torch.ops.aten, packet), overload or "default"))


_fallback_kernel = functools.cache(Kernel)  # one for each operation of torch at the most


def _fallback(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Run an operation that the CPU has no kernel of its own for; a missing one is an error of the device."""
    try:
        return _fallback_kernel(op)(*args, **kwargs)
    except NotImplementedError as error:
        raise DeviceError(f"the simulated device has no kernel for {op}; use simpler operations") from error


def register() -> list[Any]:
    """Give the spare backend a kernel for every operation that the CPU has one for; keep what it returns."""
    names = (n.partition("::") for n in torch._C._dispatch_get_registrations_for_dispatch_key("CPU"))
    library: Any = torch.library
    aten = library.Library("aten", "IMPL", "PrivateUse1")
    for name in {name for space, _, name in names if space == "aten"} | _SPECIAL.keys() | _DIRECT:
        aten.impl(name, Lazy(name))
    rest = library.Library("_", "IMPL")
    rest.fallback(_fallback, "PrivateUse1")
    rest.fallback(library.fallthrough_kernel, "AutocastPrivateUse1")
    return [aten, rest]
