"""How a tensor lies in memory, as a part of a request: views reach the student's code as views, in every process."""

from __future__ import annotations

from dataclasses import dataclass

import torch

GAP = 99  # what lies between a view's elements: nobody may read it


@dataclass(frozen=True)
class Strided:
    """A CPU tensor that is not contiguous: its dense values (of length 1 where it is expanded), shape and strides."""

    values: torch.Tensor
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def tensor(self) -> torch.Tensor:
        """The tensor, in memory of its own."""
        memory = torch.full((span(self.values.shape, self.strides),), GAP, dtype=self.values.dtype)
        laid = memory.as_strided(self.values.shape, self.strides)
        laid.copy_(self.values)
        return laid.expand(self.shape)


def span(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """How many elements of memory a view reaches over."""
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


def with_layout(value: torch.Tensor) -> torch.Tensor | Strided:
    """A tensor as it travels in a request: as it is where it is contiguous, or not on the CPU."""
    if value.device.type != "cpu" or value.layout is not torch.strided or value.is_contiguous():
        return value
    values = value.detach()
    for dim, stride in enumerate(values.stride()):
        if stride == 0:
            values = values.narrow(dim, 0, 1)
    return Strided(values.contiguous(), tuple(value.shape), tuple(value.stride()))
