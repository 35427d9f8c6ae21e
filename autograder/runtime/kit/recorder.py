"""A stand-in for a calibrator: it notes what it is shown, and answers with numbers that tell which one was asked."""

from __future__ import annotations

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


def recorder() -> Recorders:
    """A factory of recorders."""
    return Recorders()


def recorded(factory: Recorders) -> list[list[dict[str, Any]]]:
    """For each recorder, in the order in which they were made, a note on each tensor that it was shown."""
    return [list(recorder.notes) for recorder in factory.recorders]
