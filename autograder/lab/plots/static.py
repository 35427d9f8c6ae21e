"""Plots of notebook 02: the ranges that a calibration returned, and a model that is quantized step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from autograder.lab.plots.style import COLOURS, MARKERS, STYLE, finished

Ranges = Mapping[str, tuple[Any, Any]]
"""What a calibration returned: layer name -> (scale, zero point), asymmetric with 8 bits."""


def plot_input_ranges(calibrations: Mapping[str, Ranges]) -> Figure:
    """The range of each layer's input, from the lowest level to the highest: one colour for each calibration."""
    layers = list(dict.fromkeys(name for ranges in calibrations.values() for name in ranges))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9.6, 5.2), layout="constrained")
        for index, (title, ranges) in enumerate(calibrations.items()):
            offset = (index - (len(calibrations) - 1) / 2) * 0.25
            places = [layers.index(name) + offset for name in ranges]
            ends = [_ends(scale, zero_point) for scale, zero_point in ranges.values()]
            colour = COLOURS[(index + 1) % len(COLOURS)]
            axes.vlines(places, [lo for lo, _ in ends], [hi for _, hi in ends], color=colour, linewidth=3, label=title)
        axes.axhline(0, color="0.4", linewidth=1)
        axes.set(ylabel="range of the layer's input", xticks=range(len(layers)))
        axes.set_xticklabels([_short(name) for name in layers], rotation=90, fontsize=8)
        axes.grid(axis="x", visible=False)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(calibrations), frameon=False)
    return finished(figure)


def plot_progress(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Error and size while more and more of a model is quantized.

    Each row: {"group": str, "error": relative error of the logits, "size_mb": float}, in the order of replacement.
    """
    places, names = range(len(rows)), [row["group"] for row in rows]
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")
        for axes, key, colour in ((left, "error", COLOURS[0]), (right, "size_mb", COLOURS[1])):
            axes.plot(places, [row[key] for row in rows], color=colour, marker=MARKERS[0])
            axes.set(ylim=(0, None), xticks=places)
            axes.set_xticklabels(names, rotation=90, fontsize=8)
        left.set(ylabel="relative error of the logits", title="the error grows")
        right.set(ylabel="size of the model (MB)", title="the model shrinks")
        figure.supxlabel("quantized up to and including", fontsize=9)
    return finished(figure)


def _ends(scale: Any, zero_point: Any) -> tuple[float, float]:
    """The values of the lowest and of the highest level."""
    return float(scale) * (0 - int(zero_point)), float(scale) * (255 - int(zero_point))


def _short(name: str) -> str:
    """A layer's name without the parts that all have: "bert.encoder.layer.0.output.dense" -> "0.output"."""
    return name.removeprefix("bert.").removeprefix("encoder.layer.").removesuffix(".dense")
