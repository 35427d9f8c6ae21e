"""Plots of notebook 04: SmoothQuant, GPTQ, AWQ and rotations. Plots return their figure; labels are English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from autograder.lab.plots.style import COLOURS, MARKERS, STYLE, finished


def plot_channel_peaks(panels: Mapping[str, Tensor], title: str = "") -> Figure:
    """One panel for each name: the largest magnitude of every channel, float [channels], on one logarithmic scale."""
    columns = 2 if len(panels) > 1 else 1
    rows = -(-len(panels) // columns)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            rows,
            columns,
            figsize=(9.6, 1.2 + 1.8 * rows),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axes, (name, peaks) in zip(grid.flat, panels.items(), strict=False):
            values = peaks.detach().float().cpu()
            axes.bar(range(len(values)), values.tolist(), width=1.0, color=COLOURS[1])
            axes.set(title=f"{name}: largest / median = {values.max() / values.median():.0f}", yscale="log")
        for axes in grid[-1]:
            axes.set(xlabel="input channel")
        for axes in grid[:, 0]:
            axes.set(ylabel="largest magnitude")
        figure.suptitle(title)
    return finished(figure)


def plot_strengths(rows: Sequence[Mapping[str, Any]], unsmoothed: Mapping[str, float] | None = None) -> Figure:
    """The error over SmoothQuant's strength, one line a model; dashed, the error of each without it.

    Each row: {"alpha": float, "model": str, "error": float}. `unsmoothed`: the error by model.
    """
    names = list(dict.fromkeys(row["model"] for row in rows))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            of_model = [row for row in rows if row["model"] == name]
            places, errors = [row["alpha"] for row in of_model], [row["error"] for row in of_model]
            axes.plot(places, errors, color=colour, marker=marker, label=name)
            if unsmoothed and name in unsmoothed:
                axes.axhline(unsmoothed[name], color=colour, linestyle="--")
        axes.set(xlabel="strength α", ylabel="relative error of the outputs", yscale="log")
        axes.legend(loc="center right", frameon=True)
    return finished(figure)


def plot_methods(rows: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Bars of the error, grouped by bits, one colour a method, each with its figure on top.

    Each row: {"method": str, "bits": int, "error": float}.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    bits = sorted({row["bits"] for row in rows}, reverse=True)
    width = 0.8 / len(methods)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9.6, 3.8), layout="constrained")
        for index, (method, colour) in enumerate(zip(methods, COLOURS, strict=False)):
            errors = {row["bits"]: row["error"] for row in rows if row["method"] == method}
            places = [place + (index - (len(methods) - 1) / 2) * width for place, b in enumerate(bits) if b in errors]
            bars = axes.bar(
                places, [errors[b] for b in bits if b in errors], width=0.9 * width, color=colour, label=method
            )
            axes.bar_label(bars, fmt="%.2g", fontsize=8)
        axes.set(xticks=range(len(bits)), ylabel="relative error of the outputs", title=title)
        axes.set_xticklabels([f"{b} bits" for b in bits])
        axes.legend()
    return finished(figure)
