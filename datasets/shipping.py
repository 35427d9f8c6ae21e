"""What train_models.py writes: rows, checkpoint folders in float16, and their entries in manifest.json."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path

import corpus
import torch
import transformers
from safetensors.torch import save
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

SCRIPT = "train_models.py"
CALIBRATION_ROWS, EVALUATION_ROWS, ROWS_SEED = 256, 512, 7
LICENCE = "Apache-2.0 (weights and tokenizer); trained on Python's help topics and docstrings, PSF-2.0"
ROWS_LICENCE = "PSF-2.0: tokenized help topics and docstrings of Python"

Batch = dict[str, Tensor]

# --- rows of the splits -------------------------------------------------------------------------


def split_rows(
    documents: Sequence[corpus.Document], tokenizer: Tokenizer, split: str, language: bool, seed: int = ROWS_SEED
) -> Batch:
    """The rows that are used of one split; passages with every family alike often, in an order drawn by `seed`."""
    count = CALIBRATION_ROWS if split == "calibration" else EVALUATION_ROWS
    generator = torch.Generator().manual_seed(seed)
    if language:
        rows = corpus.language_rows(documents, tokenizer, split)
        return {"input_ids": rows[torch.randperm(len(rows), generator=generator)[:count]]}
    pieces, labels = corpus.passages(documents, tokenizer, split)
    targets = torch.tensor(labels)
    each = min(count // len(corpus.FAMILIES), int(torch.bincount(targets).min()))
    order = torch.randperm(len(targets), generator=generator)
    chosen = torch.cat([order[targets[order] == family][:each] for family in range(len(corpus.FAMILIES))])
    chosen = chosen[torch.randperm(len(chosen), generator=generator)]
    return {**corpus.padded([pieces[row] for row in chosen.tolist()], tokenizer), "labels": targets[chosen]}


# --- files and the manifest ---------------------------------------------------------------------


def describe(path: Path, description: str, seed: int | None, tensors: Batch, **more: object) -> dict[str, object]:
    """The manifest's entry: what the file is, where it comes from, and how to make it again."""
    return {
        "description": description,
        "licence": more.pop("licence", LICENCE),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "tensors": {name: f"{t.dtype} {list(t.shape)}".removeprefix("torch.") for name, t in tensors.items()},
        "script": SCRIPT,
        **({} if seed is None else {"seed": seed}),
        "text": f"pydoc_data.topics and docstrings of the standard library, Python {platform.python_version()}",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        **more,
    }


def record(folder: Path, entries: dict[str, dict[str, object]]) -> None:
    """Add entries to the folder's manifest.json, or replace those of the same name."""
    path = folder / "manifest.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**known, **entries}, indent=2) + "\n", encoding="utf-8")


def write_model(
    folder: Path, name: str, model: nn.Module, tokenizer: Tokenizer, seed: int | None, facts: dict[str, object]
) -> None:
    """models/<name>/: config.json, model.safetensors (float16), tokenizer files; the manifest states a public seed."""
    target = folder / "models" / name
    target.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(target)
    wrap_tokenizer(tokenizer, name).save_pretrained(target)
    (target / "generation_config.json").unlink(missing_ok=True)
    model.float()
    state = dict(model.named_parameters())
    about = f"{type(model).__name__} of the course, {sum(p.numel() for p in state.values()):,} parameters"
    entries = {}
    for path in sorted(target.iterdir()):
        path.chmod(0o644)  # safetensors writes files that only their owner may read
        weights = path.name == "model.safetensors"
        tensors = {key: value.half() for key, value in state.items()} if weights else {}
        text = about if weights else f"{path.name} of {name}"
        entries[f"models/{name}/{path.name}"] = describe(path, text, seed, tensors, **(facts if weights else {}))
    record(folder, entries)


def wrap_tokenizer(tokenizer: Tokenizer, name: str) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers loads it, with its special tokens named."""
    if name == "tiny-bert":
        special = {
            "pad_token": corpus.PAD,
            "unk_token": corpus.UNKNOWN,
            "cls_token": corpus.START,
            "sep_token": corpus.STOP,
        }
    else:
        special = {"bos_token": corpus.END, "eos_token": corpus.END}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=corpus.CONTEXT, **special)


def write_rows(folder: Path, kind: str, split: str, rows: Batch, seed: int | None = ROWS_SEED) -> None:
    """data/<kind>.<split>.safetensors, int16: the tokens fit, and the file is a quarter of the size."""
    path = folder / "data" / f"{kind}.{split}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.to(torch.int16).contiguous() for name, tensor in rows.items()}
    path.write_bytes(save(tensors))
    about = f"{len(rows['input_ids'])} rows of the {split} split, tokenized"
    record(folder, {f"data/{path.name}": describe(path, about, seed, tensors, licence=ROWS_LICENCE)})
