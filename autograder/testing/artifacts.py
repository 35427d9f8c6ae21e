"""How large a module's tensors are as a file: what the artifact rule counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from autograder.testing.expect import that

ALIAS_BYTES = 8  # a name that stands for another tensor: its letters, quotes, colon and comma in the header
MOST_TENSORS = 10_000  # in one state_dict; the kit's own limit of what a worker sends


def file_bytes(state: Mapping[str, Tensor], memory: Mapping[str, int] | None = None) -> int:
    """The size of the safetensors file that holds `state`, header and names included.

    `memory` (of `kit.shared`) gives tensors that are one and the same memory the same number. They are stored once, as
    safetensors stores tied weights, if their bytes are equal too, up to a transposition: the number is a claim by the
    process that holds them. Tensors that merely have equal values are stored as often as they stand there.
    The time is linear in the number and the bytes of the tensors; more than `MOST_TENSORS` fail the test.
    """
    from safetensors.torch import save  # noqa: PLC0415 - slow to import

    that(len(state) <= MOST_TENSORS, f"the state_dict has more than {MOST_TENSORS:,} tensors", f"{len(state):,}")
    claims = Counter((memory or {}).values())
    kept: dict[str, Tensor] = {}
    stored: set[tuple[int, bytes]] = set()
    aliases = 0
    for name, value in state.items():
        number = (memory or {}).get(name)
        contents = (
            {(number, digest) for digest in _digests(value)} if number is not None and claims[number] > 1 else set()
        )
        if stored.isdisjoint(contents):
            kept[name] = value.detach().contiguous()
            stored |= contents
        else:
            aliases += len(name.encode()) + ALIAS_BYTES
    return len(save({name: value.clone() for name, value in kept.items()})) + aliases


def _digests(value: Tensor) -> Iterator[bytes]:
    """A digest of the dtype, shape and bytes of a tensor, and of a matrix another one of its transpose."""
    for form in (value, value.T) if value.dim() == 2 else (value,):
        content = form.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        yield hashlib.sha256(f"{form.dtype} {tuple(form.shape)} ".encode() + content.tobytes()).digest()
