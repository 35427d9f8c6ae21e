"""Colours, markers and the finish that all plots share."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

# Okabe and Ito's colours: told apart by colour-blind readers too; markers differ as well
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "D", "^", "v", "P")
STYLE: Any = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


def finished(figure: Figure) -> Figure:
    """Close the figure for pyplot, so that a notebook shows it once: as the value of its cell."""
    plt.close(figure)
    return figure
