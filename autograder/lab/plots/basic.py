"""Plots of notebook 01: what quantization does to numbers, weights and channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from autograder.lab.plots.style import COLOURS, MARKERS, STYLE, finished


def plot_staircase(x: Tensor, restored: Tensor, title: str = "") -> Figure:
    """Quantization of single numbers: `restored` over `x` (both [n], `x` sorted), and the error below."""
    with plt.rc_context(STYLE):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(6.4, 4.6), sharex=True, height_ratios=(2, 1), layout="constrained"
        )
        above.plot(x, x, color="0.6", linestyle="--", label="unquantized")
        above.plot(x, restored, color=COLOURS[1], drawstyle="steps-mid", label="quantized and restored")
        above.set(ylabel="restored value", title=title)
        above.legend(loc="upper left")
        below.plot(x, restored - x, color=COLOURS[0])
        below.set(xlabel="value x", ylabel="restored − x")
    return finished(figure)


def plot_histograms(weight: Tensor, q: Tensor, title: str = "") -> Figure:
    """The distribution of the weights, any shape, and of their integer codes `q`, the same shape."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained")
        amax = weight.abs().max().item()
        left.hist(weight.flatten().tolist(), bins=101, range=(-amax, amax), color=COLOURS[1])
        left.set(xlabel="weight", ylabel="number of weights", title="float32 weights", yscale="log")
        levels, counts = torch.unique(q, return_counts=True)
        right.bar(levels.tolist(), counts.tolist(), width=0.9, color=COLOURS[0])
        right.set(
            xlabel="integer code q",
            ylabel="number of weights",
            title=f"codes: {len(levels)} levels are in use",
            yscale="log",
        )
        figure.suptitle(title)
    return finished(figure)


def plot_channel_ranges(weight: Tensor) -> Figure:
    """The largest |weight| of each output channel of `weight` [out, in], sorted, and the whole tensor's."""
    unused = "levels that per-tensor leaves unused"
    ranges = weight.abs().amax(dim=1).sort(descending=True).values
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
        channels, widest = range(len(ranges)), ranges[0].item()
        axes.bar(channels, ranges.tolist(), width=1.0, color=COLOURS[1], label="range of the channel")
        axes.axhline(widest, color=COLOURS[0], label="range of the whole tensor")
        axes.fill_between(channels, ranges.tolist(), widest, color=COLOURS[0], alpha=0.15, label=unused)
        axes.set(xlabel="output channel, sorted by range", ylabel="largest |weight|", ylim=(0, None))
        axes.legend(loc="upper right", bbox_to_anchor=(0.97, 0.93), frameon=True, framealpha=1.0)
    return finished(figure)


def plot_errors(weight: Tensor, restored: Mapping[str, Tensor], title: str = "") -> Figure:
    """The errors' distribution and SQNR by channel for each of `restored`, [out, in] like `weight`."""
    order = weight.abs().amax(dim=1).argsort(descending=True)
    limit = max((values - weight).abs().max().item() for values in restored.values())
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.6), layout="constrained")
        for (name, values), colour, marker in zip(restored.items(), COLOURS, MARKERS, strict=False):
            errors = (values - weight).flatten().tolist()
            left.hist(errors, bins=101, range=(-limit, limit), histtype="step", color=colour, label=name)
            by_channel = _sqnr_by_row(weight[order], values[order])
            right.plot(by_channel.tolist(), marker, color=colour, markersize=3, alpha=0.7, label=name)
        left.set(xlabel="error of a weight", ylabel="number of weights")
        right.set(xlabel="output channel, widest range first", ylabel="SQNR of the channel (dB)")
        right.legend(markerscale=2, loc="lower left", frameon=True)
        figure.suptitle(title)
    return finished(figure)


def plot_sweep(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """SQNR and KL over bits, one line a granularity.

    Each row: {"bits": int, "granularity": str, "sqnr_db": float, "kl_nats": float}.
    """
    names = list(dict.fromkeys(row["granularity"] for row in rows))
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            of_granularity = sorted((row for row in rows if row["granularity"] == name), key=lambda row: row["bits"])
            for axes, column in ((left, "sqnr_db"), (right, "kl_nats")):
                _line(axes, of_granularity, column, {"color": colour, "marker": marker, "label": name})
        left.set(ylabel="SQNR of the weights (dB)", title="higher is better")
        right.set(ylabel="KL of the outputs (nats)", title="lower is better", yscale="log")
        left.legend()
    return finished(figure)


def _line(axes: Axes, rows: Sequence[Mapping[str, Any]], column: str, look: dict[str, Any]) -> None:
    axes.plot([row["bits"] for row in rows], [row[column] for row in rows], **look)
    axes.set(xlabel="bits per weight", xticks=sorted({row["bits"] for row in rows}))


def _sqnr_by_row(weight: Tensor, restored: Tensor) -> Tensor:
    """dB, [out]; here only to be drawn, so rows without error come out as infinity and are left out."""
    noise = (weight - restored).square().sum(dim=1)
    return 10 * torch.log10(weight.square().sum(dim=1) / noise)
