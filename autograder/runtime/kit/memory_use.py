"""What a module holds: how many bytes of each dtype, registered or not, and which tensors are one memory.

And `release_memory`, which gives back to the system what nobody holds, before memory is measured.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DEPTH = 4  # of lists and dicts within an attribute


def held(module: nn.Module) -> dict[str, int]:
    """Bytes by dtype ("int8", "float32", …) of every tensor that the module reaches, each memory once.

    Parameters, buffers, plain attributes, and what stands in lists and dicts of attributes: tensors, NumPy arrays, and
    modules that are registered nowhere.
    """
    bytes_of: Counter[str] = Counter()
    counted: set[tuple[int, str]] = set()
    modules: set[int] = set()
    for array in _arrays(module, DEPTH, modules):
        if isinstance(array, Tensor):
            kind, memory = str(array.dtype).removeprefix("torch."), array.untyped_storage()
            start, size = memory.data_ptr(), memory.nbytes()
        else:
            kind, start, size = str(array.dtype), array.ctypes.data, array.nbytes
        if (start, kind) not in counted:
            counted.add((start, kind))
            bytes_of[kind] += size
    return dict(bytes_of)


def release_memory() -> None:
    """Give freed memory back to the system, where the C library can: what a process still has is then what it holds."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another libc than glibc
        ctypes.CDLL(None).malloc_trim(0)


def _arrays(value: Any, depth: int, modules: set[int]) -> Iterator[Tensor | np.ndarray]:
    if isinstance(value, Tensor | np.ndarray):
        yield value
    elif isinstance(value, nn.Module):
        if id(value) not in modules:
            modules.add(id(value))
            yield from _arrays(vars(value), DEPTH, modules)
    elif depth and isinstance(value, Mapping | list | tuple | set | frozenset):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _arrays(item, depth - 1, modules)


def shared(module: nn.Module) -> dict[str, int]:
    """A number for each tensor of the module's state_dict: equal numbers are one and the same memory."""
    numbers: dict[tuple[int, int, torch.dtype], int] = {}
    shares = {}
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):
            memory = (value.data_ptr(), value.numel(), value.dtype)
            shares[name] = numbers.setdefault(memory if value.numel() else (0, 0, value.dtype), len(numbers))
    return shares
