"""The course's bundled datasets: where they lie, and the trained layer of notebook 01."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from autograder.records import PtqlabError

DATASETS_VARIABLE = "PTQLAB_DATASETS"


COURSE_VARIABLE = "PTQLAB_COURSE"


_INSTALLED = Path(__file__).parents[1] / "bundled" / "datasets"


_IN_A_CLONE = Path(__file__).parents[2] / "datasets"


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
