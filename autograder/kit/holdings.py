"""What a module holds: how many bytes of each dtype, registered or not, and which tensors are one memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

DEPTH = 4  # of lists and dicts within an attribute


def held(module: nn.Module) -> dict[str, int]:
    """Bytes by dtype ("int8", "float32", …) of every tensor that the module reaches, each memory once.

    Parameters, buffers, plain attributes, and what stands in lists and dicts of attributes.
    """
    bytes_of: Counter[str] = Counter()
    seen: set[tuple[int, torch.dtype]] = set()
    for part in module.modules():
        for tensor in _tensors(vars(part), DEPTH):
            key = (tensor.untyped_storage().data_ptr(), tensor.dtype)
            if key not in seen:
                seen.add(key)
                bytes_of[str(tensor.dtype).removeprefix("torch.")] += tensor.untyped_storage().nbytes()
    return dict(bytes_of)


def _tensors(value: Any, depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(item, depth - 1)


def shared(module: nn.Module) -> dict[str, int]:
    """A number for each tensor of the module's state_dict: equal numbers are one and the same memory."""
    numbers: dict[tuple[int, int, torch.dtype], int] = {}
    found = {}
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):
            memory = (value.data_ptr(), value.numel(), value.dtype)
            found[name] = numbers.setdefault(memory if value.numel() else (0, 0, value.dtype), len(numbers))
    return found
