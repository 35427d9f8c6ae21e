"""How large a module's tensors are as a file: what the artifact rule counts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

ALIAS_BYTES = 8  # a name that stands for another tensor: its letters, quotes, colon and comma in the header


def file_bytes(state: Mapping[str, Tensor], memory: Mapping[str, int] | None = None) -> int:
    """The size of the safetensors file that holds `state`, header and names included.

    `memory` (of `kit.shared`) gives tensors that are one and the same memory the same number. They are stored once, as
    safetensors stores tied weights, if their values are equal too, up to a transposition: the number is a claim by the
    process that holds them. Tensors that merely have equal values are stored as often as they stand there.
    """
    from safetensors.torch import save  # noqa: PLC0415 - slow to import

    kept: dict[str, Tensor] = {}
    aliases = 0
    for name, value in state.items():
        if memory and any(memory.get(other) == memory.get(name) and _same(kept[other], value) for other in kept):
            aliases += len(name.encode()) + ALIAS_BYTES
        else:
            kept[name] = value.detach().contiguous()
    return len(save({name: value.clone() for name, value in kept.items()})) + aliases


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal values in equal dtypes, or one is the other transposed."""
    if one.dtype != other.dtype or one.numel() != other.numel():
        return False
    return torch.equal(one, other) or (one.dim() == other.dim() == 2 and torch.equal(one.T, other))
