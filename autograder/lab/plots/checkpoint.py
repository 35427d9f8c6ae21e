"""Measures and plots of notebook 05: memory while a checkpoint is read, the error over the bits of a weight."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from autograder.lab.plots.style import COLOURS, MARKERS, STYLE, finished
from autograder.runtime.memory import Watch


def peak_memory_mb(function: Callable[..., Any], *args: Any, **kwargs: Any) -> float | None:
    """Return how far this process's anonymous memory rose, in MB, during `function(*args, **kwargs)`; None if unknown.

    What earlier cells have freed goes back to the system first: otherwise it would be used again, and no growth be
    seen.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # the GNU C library alone has this
        ctypes.CDLL(None).malloc_trim(0)
    with Watch() as watch:
        function(*args, **kwargs)
    return watch.growth_mb


def folder_bytes(folder: str | Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def plot_memory(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Peak memory over the size of the checkpoint, one line a way of reading it.

    Each row: {"way": str, "checkpoint_mb": float, "peak_mb": float or None}; rows without a peak are left out.
    """
    ways = list(dict.fromkeys(row["way"] for row in rows))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
        for way, colour, marker in zip(ways, COLOURS, MARKERS, strict=False):
            measured = [row for row in rows if row["way"] == way and row["peak_mb"] is not None]
            sizes, peaks = [row["checkpoint_mb"] for row in measured], [row["peak_mb"] for row in measured]
            axes.plot(sizes, peaks, color=colour, marker=marker, label=way)
        axes.set(xlabel="checkpoint on disk (MB)", ylabel="peak of anonymous memory (MB)", ylim=(0, None))
        axes.legend()
    return finished(figure)


def plot_bits(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """KL of the outputs over the bits that a weight really takes, scales included; one line a granularity.

    Each row: {"granularity": str, "bits_per_weight": float, "kl_nats": float}.
    """
    names = list(dict.fromkeys(row["granularity"] for row in rows))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            points = sorted((row["bits_per_weight"], row["kl_nats"]) for row in rows if row["granularity"] == name)
            bits, kl = zip(*points, strict=True)
            axes.plot(bits, kl, color=colour, marker=marker, label=name)
        axes.set(
            xlabel="bits a weight takes, with its share of the scales", ylabel="KL of the outputs (nats)", yscale="log"
        )
        axes.legend()
    return finished(figure)
