"""Plot of notebook 03: the activations that one scale must serve. Plots return their figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from autograder.lab.plots.style import COLOURS, STYLE, finished


def plot_token_ranges(x: Tensor, title: str = "") -> Figure:
    """The largest |x| of each channel and of each token of an activation `x` [..., tokens, channels]."""
    magnitudes = x.detach().float().abs().flatten(0, -2)  # [tokens, channels]
    channels = magnitudes.amax(dim=0)
    tokens = magnitudes.amax(dim=1).sort(descending=True).values
    median, widest = torch.quantile(tokens, 0.5).item(), tokens[0].item()
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.6), layout="constrained")
        left.vlines(range(len(channels)), 0, channels.tolist(), color=COLOURS[1], linewidth=1)
        left.set(xlabel="channel", ylabel="largest |x| of the channel", title="a few channels tower over the rest")
        places = range(len(tokens))
        right.fill_between(places, tokens.tolist(), widest, color=COLOURS[0], alpha=0.15, label="levels left unused")
        right.plot(places, tokens.tolist(), color=COLOURS[1], label="range of the token")
        right.axhline(widest, color=COLOURS[0], label="range of all tokens together")
        right.set(xlabel="token, sorted by range", ylabel="largest |x| of the token", ylim=(0, widest * 1.05))
        right.set_title(f"the widest range is {widest / max(median, 1e-12):.1f} times the median")
        right.legend(loc="upper right", bbox_to_anchor=(1.0, 0.93))
        figure.suptitle(title)
    return finished(figure)
