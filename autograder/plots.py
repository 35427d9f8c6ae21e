"""What the notebooks load, log and draw. Plots return their figure; labels are English in every notebook."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from autograder.model import PtqlabError

# --- data ---------------------------------------------------------------------------------------

DATASETS_VARIABLE = "PTQLAB_DATASETS"
COURSE_VARIABLE = "PTQLAB_COURSE"
_INSTALLED = Path(__file__).parent / "course" / "datasets"
_IN_A_CLONE = Path(__file__).parents[1] / "datasets"


@dataclass(frozen=True)
class TrainedLayer:
    """A trained `relu(x @ weight.T + bias)`, real inputs for it, and the head that makes its output logits.

    weight [out, in], bias [out], inputs [n, in], head_weight [classes, out], head_bias [classes]: float32.
    targets [n]: int64, the right classes.
    """

    weight: Tensor
    bias: Tensor
    inputs: Tensor
    head_weight: Tensor
    head_bias: Tensor
    targets: Tensor

    def hidden(self, weight: Tensor | None = None) -> Tensor:
        """The layer's output after ReLU, float32 [n, out], with `weight` [out, in] in place of its own."""
        used = self.weight if weight is None else weight
        return torch.relu(self.inputs @ used.T + self.bias)

    def logits(self, weight: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        """Logits, float32 [n, classes], from another `weight` [out, in] or from `hidden` values [n, out]."""
        hidden = self.hidden(weight) if hidden is None else hidden
        return hidden @ self.head_weight.T + self.head_bias

    def accuracy(self, logits: Tensor) -> float:
        """The share of `targets` that `logits` [n, classes] ranks first."""
        return (logits.argmax(dim=-1) == self.targets).float().mean().item()


def load_layer(file: str = "char_layer.safetensors", datasets: str | Path | None = None) -> TrainedLayer:
    """The trained layer of notebook 01, checked against the manifest's sha256.

    `datasets` is the folder to look in; without it PTQLAB_DATASETS, then `datasets/` from the working folder
    upwards, then the installed kit's own copy. Missing or changed files are a PtqlabError.
    """
    from safetensors.torch import load  # noqa: PLC0415 - slow to import, and only this needs it

    folder = find_datasets(datasets)
    entry = json.loads((folder / "manifest.json").read_text(encoding="utf-8")).get(file)
    if entry is None:
        raise PtqlabError(f"{folder / 'manifest.json'} does not list {file}. Unpack the course's zip again.")
    if not (folder / file).is_file():
        raise PtqlabError(f"{folder / file} is missing. Unpack the course's zip again.")
    data = (folder / file).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != entry["sha256"]:
        raise PtqlabError(
            f"{folder / file} is not the file of the course: its sha256 should start {entry['sha256'][:12]}, "
            f"but starts {found[:12]}. Unpack the course's zip again."
        )
    return TrainedLayer(**load(data))


def find_datasets(explicit: str | Path | None = None) -> Path:
    """The folder of the course's data: the first that holds a manifest.json; none is a PtqlabError.

    Looked for in `explicit`, in what PTQLAB_DATASETS names, in the course that PTQLAB_COURSE names, from the working
    folder upwards, and beside or in the installed package.
    """
    named = explicit or os.environ.get(DATASETS_VARIABLE)
    if named:
        if not (Path(named) / "manifest.json").is_file():
            source = "load_layer(datasets=…)" if explicit else DATASETS_VARIABLE
            raise PtqlabError(
                f"{source} names {named}, which holds no manifest.json. Name the course's datasets folder."
            )
        return Path(named)
    here, course = Path.cwd(), os.environ.get(COURSE_VARIABLE)
    places = [Path(course) / "datasets"] if course else []
    places += [parent / "datasets" for parent in (here, *here.parents)]
    for folder in (*places, _INSTALLED, _IN_A_CLONE):
        if (folder / "manifest.json").is_file():
            return folder
    raise PtqlabError(
        f"no datasets folder was found from {here} upwards. Start the notebook inside the unpacked course, "
        f"or set {DATASETS_VARIABLE} to the course's datasets folder."
    )


# --- monitoring ---------------------------------------------------------------------------------


def log_experiment(name: str, log: str | Path = "experiments.jsonl", **values: Any) -> None:
    """Append one JSON line (UTC time, name, values) to the file `log`; 0-dim tensors become numbers."""
    plain = {key: value.item() if isinstance(value, Tensor) else value for key, value in values.items()}
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "experiment": name, **plain}
    with Path(log).open("a", encoding="utf-8", newline="\n") as out:
        out.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_experiments(log: str | Path = "experiments.jsonl") -> list[dict[str, Any]]:
    """All lines that `log_experiment` wrote, oldest first; an empty list when there are none."""
    if not Path(log).is_file():
        return []
    return [json.loads(line) for line in Path(log).read_text(encoding="utf-8").splitlines() if line]


# --- plots --------------------------------------------------------------------------------------

# Okabe and Ito's colours: told apart by colour-blind readers too; markers differ as well
_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "D", "^", "v", "P")
_STYLE: Any = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


def plot_staircase(x: Tensor, restored: Tensor, title: str = "") -> Figure:
    """What quantization does to a number: `restored` over `x` (both [n], `x` sorted), and the error below."""
    with plt.rc_context(_STYLE):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(6.4, 4.6), sharex=True, height_ratios=(2, 1), layout="constrained"
        )
        above.plot(x, x, color="0.6", linestyle="--", label="unquantized")
        above.plot(x, restored, color=_COLOURS[1], drawstyle="steps-mid", label="quantized and restored")
        above.set(ylabel="restored value", title=title)
        above.legend(loc="upper left")
        below.plot(x, restored - x, color=_COLOURS[0])
        below.set(xlabel="value x", ylabel="restored − x")
    return _finished(figure)


def plot_histograms(weight: Tensor, q: Tensor, title: str = "") -> Figure:
    """The distribution of the weights, any shape, and of their integer codes `q`, the same shape."""
    with plt.rc_context(_STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained")
        amax = weight.abs().max().item()
        left.hist(weight.flatten().tolist(), bins=101, range=(-amax, amax), color=_COLOURS[1])
        left.set(xlabel="weight", ylabel="number of weights", title="float32 weights", yscale="log")
        levels, counts = torch.unique(q, return_counts=True)
        right.bar(levels.tolist(), counts.tolist(), width=0.9, color=_COLOURS[0])
        right.set(
            xlabel="integer code q",
            ylabel="number of weights",
            title=f"codes: {len(levels)} levels are in use",
            yscale="log",
        )
        figure.suptitle(title)
    return _finished(figure)


def plot_channel_ranges(weight: Tensor) -> Figure:
    """The largest |weight| of each output channel of `weight` [out, in], sorted, and the whole tensor's."""
    unused = "levels that per-tensor leaves unused"
    ranges = weight.abs().amax(dim=1).sort(descending=True).values
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
        channels, widest = range(len(ranges)), ranges[0].item()
        axes.bar(channels, ranges.tolist(), width=1.0, color=_COLOURS[1], label="range of the channel")
        axes.axhline(widest, color=_COLOURS[0], label="range of the whole tensor")
        axes.fill_between(channels, ranges.tolist(), widest, color=_COLOURS[0], alpha=0.15, label=unused)
        axes.set(xlabel="output channel, sorted by range", ylabel="largest |weight|", ylim=(0, None))
        axes.legend(loc="upper right", bbox_to_anchor=(0.97, 0.93), frameon=True, framealpha=1.0)
    return _finished(figure)


def plot_errors(weight: Tensor, restored: Mapping[str, Tensor], title: str = "") -> Figure:
    """The errors' distribution and SQNR by channel for each of `restored`, [out, in] like `weight`."""
    order = weight.abs().amax(dim=1).argsort(descending=True)
    limit = max((values - weight).abs().max().item() for values in restored.values())
    with plt.rc_context(_STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.6), layout="constrained")
        for (name, values), colour, marker in zip(restored.items(), _COLOURS, _MARKERS, strict=False):
            errors = (values - weight).flatten().tolist()
            left.hist(errors, bins=101, range=(-limit, limit), histtype="step", color=colour, label=name)
            by_channel = _sqnr_by_row(weight[order], values[order])
            right.plot(by_channel.tolist(), marker, color=colour, markersize=3, alpha=0.7, label=name)
        left.set(xlabel="error of a weight", ylabel="number of weights")
        right.set(xlabel="output channel, widest range first", ylabel="SQNR of the channel (dB)")
        right.legend(markerscale=2, loc="lower left", frameon=True)
        figure.suptitle(title)
    return _finished(figure)


def plot_sweep(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """SQNR and KL over bits, one line a granularity.

    Each row: {"bits": int, "granularity": str, "sqnr_db": float, "kl_nats": float}.
    """
    names = list(dict.fromkeys(row["granularity"] for row in rows))
    with plt.rc_context(_STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
        for name, colour, marker in zip(names, _COLOURS, _MARKERS, strict=False):
            mine = sorted((row for row in rows if row["granularity"] == name), key=lambda row: row["bits"])
            for axes, column in ((left, "sqnr_db"), (right, "kl_nats")):
                _line(axes, mine, column, {"color": colour, "marker": marker, "label": name})
        left.set(ylabel="SQNR of the weights (dB)", title="higher is better")
        right.set(ylabel="KL of the outputs (nats)", title="lower is better", yscale="log")
        left.legend()
    return _finished(figure)


def _line(axes: Axes, rows: Sequence[Mapping[str, Any]], column: str, look: dict[str, Any]) -> None:
    axes.plot([row["bits"] for row in rows], [row[column] for row in rows], **look)
    axes.set(xlabel="bits per weight", xticks=sorted({row["bits"] for row in rows}))


def _sqnr_by_row(weight: Tensor, restored: Tensor) -> Tensor:
    """dB, [out]; here only to be drawn, so rows without error come out as infinity and are left out."""
    noise = (weight - restored).square().sum(dim=1)
    return 10 * torch.log10(weight.square().sum(dim=1) / noise)


def _finished(figure: Figure) -> Figure:
    """Closed for pyplot, so that a notebook shows it once: as the value of its cell."""
    plt.close(figure)
    return figure
