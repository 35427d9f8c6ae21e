"""What may cross the wire, once it is decoded."""

from __future__ import annotations

import torch

from autograder.runtime import wire
from autograder.runtime.layouts import Strided
from autograder.runtime.wire import HandleRef


def believed(value: object, depth: int = 0) -> bool:
    """Whether a decoded value holds only what may cross, in ordinary form."""
    if type(value) in (list, tuple):
        return depth <= wire.MAX_DEPTH and all(believed(v, depth + 1) for v in value)  # type: ignore[attr-defined]
    if type(value) is dict:
        return all(believed(k, depth + 1) and believed(v, depth + 1) for k, v in value.items())
    if type(value) is torch.Tensor:
        return value.is_contiguous() and value.dtype in wire.NAMES and value.layout is torch.strided
    if type(value) is Strided:
        return believed(value.values, depth) and len(value.shape) == len(value.strides) == value.values.dim()
    kinds = (type(None), bool, int, float, str, bytes, torch.dtype, torch.device, HandleRef)
    return type(value) in kinds
