"""Plots of notebook 04: thresholds, sensitivities, budgets. Plots return their figure; labels are English."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from autograder.lab.plots.style import COLOURS, MARKERS, STYLE, finished

_FLOOR = 1e-7  # nats: below, float32 logits tell nothing, and a logarithmic axis needs a bottom


def plot_thresholds(values: Tensor, thresholds: Mapping[str, float], title: str = "") -> Figure:
    """The histogram of |values| (any shape) on logarithmic axes, and a line for each threshold."""
    magnitudes = values.detach().float().abs().flatten()
    largest = magnitudes.max().item()
    edges = torch.logspace(-4, 0, 121) * largest
    counts = torch.histogram(magnitudes.cpu(), edges).hist
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9.6, 3.6), layout="constrained")
        axes.stairs(counts.tolist(), edges.tolist(), fill=True, color="0.8")
        order = sorted(thresholds.items(), key=lambda item: item[1])
        for (name, threshold), colour, dashes in zip(order, COLOURS, ("-", "--", "-.", ":", "-"), strict=False):
            axes.axvline(threshold, color=colour, linestyle=dashes, label=f"{name}: {threshold:.3g}")
        axes.set(xlabel="|x|", ylabel="number of values", xscale="log", yscale="log", title=title)
        axes.legend(loc="upper center", frameon=True)
    return finished(figure)


def plot_kl_curve(curves: Mapping[int, Sequence[tuple[float, float]]]) -> Figure:
    """KL over the threshold, one curve a number of bits, its lowest point marked. Points: (threshold, nats)."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9.6, 3.6), layout="constrained")
        for (bits, points), colour in zip(curves.items(), COLOURS, strict=False):
            thresholds, kls = zip(*((threshold, max(kl, _FLOOR)) for threshold, kl in points), strict=True)
            lowest = min(range(len(kls)), key=kls.__getitem__)
            axes.plot(thresholds, kls, color=colour, label=f"{bits} bits")
            axes.plot(thresholds[lowest], kls[lowest], "o", color=colour)
        axes.set(xlabel="threshold", ylabel="KL(P ‖ Q) (nats)", xscale="log", yscale="log")
        axes.set_title("the lowest point of each curve is marked")
        axes.legend()
    return finished(figure)


def plot_sensitivity(sensitivity: Mapping[str, Mapping[int, float]]) -> Figure:
    """A heat map: one row a layer, one column a number of bits, the KL as colour and as a figure."""
    names, bits = list(sensitivity), sorted({b for of_layer in sensitivity.values() for b in of_layer})
    kls = torch.tensor([[sensitivity[name].get(b, math.nan) for b in bits] for name in names]).clamp(min=_FLOOR)
    places = kls.log10()
    low, high = places[~places.isnan()].aminmax()
    with plt.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(figsize=(7.6, 0.27 * len(names) + 1.2), layout="constrained")
        image = axes.imshow(places.numpy(), aspect="auto", cmap="magma_r", vmin=low.item(), vmax=high.item())
        for (y, x), kl in zip(torch.cartesian_prod(*map(torch.arange, kls.shape)).tolist(), kls.flatten(), strict=True):
            light = (kl.log10() - low) / (high - low) > 0.55
            axes.text(x, y, f"{kl:.1e}", ha="center", va="center", size=7, color="white" if light else "black")
        axes.set_xticks(range(len(bits)), [str(b) for b in bits])
        axes.set_yticks(range(len(names)), names, size=7)
        axes.set(xlabel="bits of this layer's weight, all others in float32")
        figure.colorbar(image, label="log10 of the KL of the model's outputs (nats)")
    return finished(figure)


def plot_budgets(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """KL over the size of the weights, one line a kind of plan. Rows: {"plan": str, "bytes": int, "kl": float}."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
        for plan, colour, marker in zip(dict.fromkeys(row["plan"] for row in rows), COLOURS, MARKERS, strict=False):
            of_plan = sorted((row["bytes"], row["kl"]) for row in rows if row["plan"] == plan)
            sizes = [size / 1e6 for size, _ in of_plan]
            axes.plot(sizes, [max(kl, _FLOOR) for _, kl in of_plan], color=colour, marker=marker, label=plan)
        axes.set(xlabel="weights (MB)", ylabel="KL of the model's outputs (nats)", yscale="log")
        axes.legend()
    return finished(figure)


def plot_progressive(curves: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """KL over the size of the weights while layer after layer is quantized. Points: (bytes, nats), in order."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
        for (label, points), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
            sizes, kls = zip(*points, strict=True)
            axes.plot([size / 1e6 for size in sizes], kls, color=colour, marker=marker, markersize=4, label=label)
        axes.invert_xaxis()
        axes.set(xlabel="weights (MB): more and more layers are quantized →", ylabel="KL of the model's outputs (nats)")
        axes.legend()
    return finished(figure)
