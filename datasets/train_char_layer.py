"""Train the layer of notebook 01 and write it with real inputs: char_layer.safetensors and manifest.json.

    python train_char_layer.py [FOLDER]      about a minute on one core; FOLDER defaults to this one

A next-character model reads eight characters of Python's own help texts (pydoc_data.topics, in every
Python) and guesses the ninth: embedding 32 -> linear 256 -> batch norm -> ReLU -> linear.
As deployment does it, the batch norm is folded into the linear layer, which multiplies each output channel
by its own factor. A small L1 penalty on these factors (as in network slimming, Liu et al. 2017) spreads them,
so that the channels' ranges differ as they do in large networks.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from pathlib import Path
from pydoc_data.topics import topics

import torch
from safetensors.torch import save
from torch import Tensor, nn

SEED = 20250
CONTEXT, EMBEDDING, HIDDEN = 8, 32, 256
STEPS, BATCH, LEARNING_RATE, WEIGHT_DECAY, SLIMMING = 4000, 1024, 4e-3, 0.02, 1e-3
KEPT_INPUTS = 256
FILE = "char_layer.safetensors"


class CharModel(nn.Module):
    """Next-character logits: int64 `[B, CONTEXT]` -> float32 `[B, characters]`."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, EMBEDDING)
        self.hidden = nn.Linear(CONTEXT * EMBEDDING, HIDDEN)
        self.norm = nn.BatchNorm1d(HIDDEN)
        self.head = nn.Linear(HIDDEN, characters)

    def embed(self, context: Tensor) -> Tensor:
        """The hidden layer's inputs: int64 `[B, CONTEXT]` -> float32 `[B, CONTEXT · EMBEDDING]`."""
        return self.embedding(context).flatten(1)

    def forward(self, context: Tensor) -> Tensor:
        """Logits of the next character."""
        return self.head(torch.relu(self.norm(self.hidden(self.embed(context)))))


def read_text() -> str:
    """All help topics in alphabetical order, printable ASCII and line breaks only."""
    text = "\n".join(topics[name] for name in sorted(topics))
    return "".join(c for c in text if c == "\n" or " " <= c <= "~")


def windows(text: str) -> tuple[Tensor, Tensor, str]:
    """(contexts int64 [N, CONTEXT], next characters int64 [N], the alphabet)."""
    alphabet = "".join(sorted(set(text)))
    codes = torch.tensor([alphabet.index(c) for c in text])
    return codes[:-1].unfold(0, CONTEXT, 1), codes[CONTEXT:], alphabet


def train(contexts: Tensor, targets: Tensor, characters: int) -> CharModel:
    """A model in eval mode, trained on windows drawn with torch's global generator."""
    model = CharModel(characters)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(targets), (BATCH,))
        loss = nn.functional.cross_entropy(model(contexts[rows]), targets[rows])
        loss = loss + SLIMMING * model.norm.weight.abs().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def fold_batch_norm(model: CharModel) -> tuple[Tensor, Tensor]:
    """(weight [HIDDEN, in], bias [HIDDEN]) of one linear layer that does the work of linear and norm."""
    norm, hidden = model.norm, model.hidden
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return hidden.weight * factor[:, None], (hidden.bias - norm.running_mean) * factor + norm.bias


@torch.no_grad()
def accuracy(model: CharModel, contexts: Tensor, targets: Tensor) -> float:
    """The share of next characters that the model ranks first."""
    return (model(contexts).argmax(-1) == targets).float().mean().item()


def main(folder: Path) -> None:
    """Train, fold, and write the file and its manifest into `folder`."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # otherwise the order of additions, and the result, would depend on the cores
    text = read_text()
    contexts, targets, alphabet = windows(text)
    held_out = len(targets) // 10
    start = time.process_time()
    model = train(contexts[:-held_out], targets[:-held_out], len(alphabet))
    seconds = time.process_time() - start
    rows = torch.randperm(held_out)[:KEPT_INPUTS] - held_out  # inputs that the training never saw
    weight, bias = fold_batch_norm(model)
    tensors = {
        "weight": weight,
        "bias": bias,
        "head_weight": model.head.weight.detach(),
        "head_bias": model.head.bias.detach(),
        "inputs": model.embed(contexts[rows]).detach(),
        "targets": targets[rows],
    }
    (folder / FILE).write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}))
    score = accuracy(model, contexts[-held_out:], targets[-held_out:])
    entry = describe(folder / FILE, tensors, text, score)
    manifest = folder / "manifest.json"
    known = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    manifest.write_text(json.dumps({**known, FILE: entry}, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {folder / FILE} after {seconds:.0f} CPU seconds; held-out accuracy {score:.1%}")


def describe(path: Path, tensors: dict[str, Tensor], text: str, score: float) -> dict[str, object]:
    """The manifest's entry: what the file is, where it comes from, and how to make it again."""
    return {
        "description": "linear layer of a next-character model, with held-out inputs and the head after it",
        "licence": "Apache-2.0 (weights); trained on and evaluated with pydoc_data.topics, PSF-2.0",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "tensors": {name: f"{t.dtype} {list(t.shape)}".removeprefix("torch.") for name, t in tensors.items()},
        "script": Path(__file__).name,
        "seed": SEED,
        "text": f"pydoc_data.topics of Python {platform.python_version()}",
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "torch": torch.__version__,
        "held_out_accuracy": round(score, 4),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
