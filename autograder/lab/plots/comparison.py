"""The picture beside a comparison: one panel a column, one bar a model, the handout's promise as a line."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from autograder.lab.comparison import Column, Comparison
from autograder.lab.plots.style import COLOURS, STYLE, finished

_PANELS = (
    "compression",
    "speedup",
    "accuracy_drop",
    "perplexity_ratio",
    "kl",
    "cosine",
    "weight_bytes",
    "peak_activation_bytes",
)
_FROM = {"perplexity_ratio": 1.0}  # where a bar begins; others at 0
_LOGARITHMIC = ("kl",)
_MOST = 6  # panels; more are no picture


def plot_comparison(table: Comparison) -> Figure:
    """The columns that can be compared at a glance, as horizontal bars; the baseline is grey, a promise a dashed
    line.
    """
    panels = _panels(table)
    across = 2 if len(panels) == 4 else min(3, len(panels))
    down = -(-len(panels) // across)
    size = (3.3 * across + 1.4, down * (0.95 + 0.36 * len(table.rows)) + 0.5)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(down, across, figsize=size, sharey=True, squeeze=False, layout="constrained")
        for axes, column in zip(grid.flat, panels, strict=False):
            _panel(axes, table, column)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
        grid[0, 0].set(yticks=range(len(table.rows)), yticklabels=list(table.rows))
        grid[0, 0].invert_yaxis()  # shared: the first model on top of every panel
        caption = textwrap.fill(f"Measured on {table.machine}", 50 * across)
        figure.supxlabel(caption, fontsize=8, color="0.35", x=0.01, ha="left")
    return finished(figure)


def _panels(table: Comparison) -> list[Column]:
    """Return the table's columns that make a picture; of KL and cosine, the sharper one."""
    by_key = {column.key: column for column in table.columns}
    keys = [key for key in _PANELS if key in by_key and not (key == "cosine" and "kl" in by_key)]
    student_measures = [column for column in table.columns if column.better == 0]
    return ([by_key[key] for key in keys] + student_measures or list(table.columns))[:_MOST]


def _panel(axes: Axes, table: Comparison, column: Column) -> None:
    start = _FROM.get(column.key, 0.0)
    values = [table.rows[name].get(column.key) for name in table.rows]
    logarithmic = column.key in _LOGARITHMIC and any(values)
    if logarithmic:
        start = min(value for value in values if value) / 5
        axes.set_xscale("log")
    for place, (name, value) in enumerate(zip(table.rows, values, strict=True)):
        end = start if value is None or (logarithmic and value < start) else value
        colour = "0.6" if name == table.baseline else COLOURS[1]
        axes.barh(place, end - start, left=start, height=0.66, color=colour)
        text = "–" if value is None else column.show(value)
        text_place = (max(end, start), place)  # a gain in accuracy is a bar to the left
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}  # above the dashed line
        axes.annotate(text, text_place, (5, 0), textcoords="offset points", va="center", fontsize=9, bbox=paper)
    better = {1: "more is better", -1: "less is better"}.get(column.better, "")
    axes.set(title=column.title, xlabel=better or column.title)
    axes.grid(axis="y", visible=False)
    promise = _promise(table, column)
    if promise is not None:
        axes.axvline(promise, color=COLOURS[0], linestyle="--", linewidth=1.5)
        axes.set_title(f"{column.title} (dashed: promised)")
    _room(axes, logarithmic)
    if column.key == "accuracy_drop":
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    if column.key.endswith("_bytes"):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:g}"))
        axes.set_xlabel(f"MB, {axes.get_xlabel()}")


def _promise(table: Comparison, column: Column) -> float | None:
    """Where the promise stands in a panel; a share of accuracy to keep is a drop not to exceed."""
    base = table.rows[table.baseline].get("accuracy")
    if column.key == "accuracy_drop" and base is not None and "kept" in table.promised:
        return base * (1 - table.promised["kept"])
    return table.promised.get(column.key)


def _room(axes: Axes, logarithmic: bool) -> None:
    """Space on the right for the numbers behind the bars."""
    low, high = axes.get_xlim()
    if logarithmic:
        axes.set_xlim(low / 1.01, max(high * (high / low) ** 0.35, 10 * low))
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_minor_formatter(NullFormatter())  # 2×10⁻⁵ 3×10⁻⁵ … would stand on each other
    else:
        axes.set_xlim(low, high + 0.3 * (high - low))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.ticklabel_format(axis="x", useOffset=False)
