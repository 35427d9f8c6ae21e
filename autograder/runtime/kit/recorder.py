"""A stand-in for a calibrator: it notes what it is shown, and answers with numbers that tell which one was asked."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Recorder:
    """Has a calibrator's interface and computes nothing: its scale is its index + 1, its zero point its index."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.notes: list[dict[str, Any]] = []

    def observe(self, tensor: Tensor) -> None:
        """Note what came."""
        values = tensor.detach().double()
        self.notes.append(
            {
                "count": values.numel(),
                "shape": list(values.shape),
                "amin": float(values.amin()),
                "amax": float(values.amax()),
                "checksum": float(values.sum()),
                "grad": bool(tensor.requires_grad or torch.is_grad_enabled()),
            }
        )

    def quantization_parameters(self) -> tuple[Tensor, int]:
        """A scale and a zero point that no other recorder has."""
        return torch.tensor(float(self.index + 1)), self.index


class Recorders:
    """Makes recorders, and remembers them: hand it over where a calibrator's class is asked for."""

    def __init__(self) -> None:
        self.recorders: list[Recorder] = []

    def __call__(self) -> Recorder:
        """A new recorder."""
        self.recorders.append(Recorder(len(self.recorders)))
        return self.recorders[-1]


class _Failing:
    """A calibrator that can't observe anything."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def observe(self, tensor: Tensor) -> None:
        """Fail."""
        raise self.error("this calibrator fails on purpose")

    def quantization_parameters(self) -> tuple[Tensor, int]:
        """Answer, as if nothing had happened."""
        return torch.tensor(1.0), 0


def failing_recorder(error: str) -> Callable[[], _Failing]:
    """A factory of calibrators whose `observe` raises the built-in error of that name."""
    kind = getattr(builtins, error)
    return lambda: _Failing(kind)


def recorder() -> Recorders:
    """A factory of recorders."""
    return Recorders()


def recorded(factory: Recorders) -> list[list[dict[str, Any]]]:
    """For each recorder, in the order in which they were made, a note on each tensor that it was shown."""
    return [list(recorder.notes) for recorder in factory.recorders]
