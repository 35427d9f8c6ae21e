"""The course's models and data, and the same loader for real ones. Works on Linux, macOS and Windows.

Course models: "tiny-bert" (BertForSequenceClassification), "tiny-gpt2" (GPT2LMHeadModel), "tiny-llama"
(LlamaForCausalLM).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autograder.lab.datasets import find_datasets
from autograder.lab.rescaling.outlier_channels import with_outliers
from autograder.records import PtqlabError
from autograder.runtime.kit.modules import model as _build

__all__ = [
    "COURSE_MODELS",
    "batches",
    "load_batches",
    "load_model",
    "load_tokenizer",
    "skeleton_spec",
    "spec",
    "with_outliers",
]

COURSE_MODELS = ("tiny-bert", "tiny-gpt2", "tiny-llama")
_CLASSIFIERS = ("tiny-bert",)
_AGAIN = "Unpack the course's zip again."

Rows = Mapping[str, Tensor]
Spec = dict[str, Any]


def load_model(name: str, outliers: bool = False, folder: str | Path | None = None) -> nn.Module:
    """A model in eval mode, float32, without gradients: each call returns a copy of its own.

    `name` is a course model, the name of a BERT, GPT-2 or Llama checkpoint at Hugging Face, or a checkpoint folder on
    this machine.
    `outliers` gives it outlier channels (see `with_outliers`). `folder` is where the course's data lie; without it
    as in `find_datasets`. A missing or changed file, an unreachable hub or another architecture is a PtqlabError.
    """
    if name in COURSE_MODELS:
        return copy.deepcopy(_course_model(name, outliers, _home(folder)))
    from autograder.lab.pretrained import load_pretrained  # noqa: PLC0415 - like the next two, only for real models

    model = load_pretrained(name)
    return with_outliers(model) if outliers else model


def load_tokenizer(name: str, folder: str | Path | None = None) -> Any:
    """The tokenizer of a model that `load_model` knows, as a transformers tokenizer."""
    if name not in COURSE_MODELS:
        from autograder.lab.pretrained import load_pretrained_tokenizer  # noqa: PLC0415

        return load_pretrained_tokenizer(name)
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 - slow to import

    home = _home(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        _course_file(home, f"models/{name}/{file}")
    return PreTrainedTokenizerFast.from_pretrained(home / "models" / name, local_files_only=True)


def load_batches(name: str, split: str, folder: str | Path | None = None) -> dict[str, Tensor]:
    """All rows of a split ("calibration", "evaluation"), in a fixed random order.

    Language models: {"input_ids": int64 [N, 64]}, without padding. The classifier: {"input_ids", "attention_mask"}
    int64 [N, 64]
    and "labels" int64 [N]. For a model that is not the course's, the same texts in its own tokens: passages for BERT,
    text for
    the others. Take batches of them with `batches`.
    """
    home = _home(folder)
    if name in COURSE_MODELS:
        kind = "passages" if name in _CLASSIFIERS else "language"
        return {key: value.clone() for key, value in _course_rows(home, f"data/{kind}.{split}.safetensors").items()}
    from autograder.lab.pretrained import language_rows, load_pretrained_tokenizer, passage_rows  # noqa: PLC0415

    tokenizer = load_pretrained_tokenizer(name)
    course = "tiny-bert" if tokenizer.cls_token else "tiny-gpt2"
    rows = load_batches(course, split, folder)
    texts = load_tokenizer(course, folder).batch_decode(rows["input_ids"], skip_special_tokens=True)
    if course == "tiny-gpt2":
        return language_rows(texts, tokenizer)
    return {**passage_rows(texts, tokenizer), "labels": rows["labels"]}


def batches(
    rows: Rows, count: int, size: int, rng: torch.Generator | None = None, labels: bool = False
) -> list[dict[str, Tensor]]:
    """`count` batches of `size` rows each, as a model is called with them; no row twice.

    The rows come in their order, or drawn by `rng`. "labels" is left out unless asked for. PtqlabError when there are
    fewer than count · size rows.
    """
    total = len(rows["input_ids"])
    if count < 1 or size < 1 or count * size > total:
        raise PtqlabError(f"expected {count} batches of {size} rows to fit into the {total} rows that there are.")
    order = torch.arange(total) if rng is None else torch.randperm(total, generator=rng)
    kept = {key: value for key, value in rows.items() if labels or key != "labels"}
    return [{key: value[order[at * size : (at + 1) * size]] for key, value in kept.items()} for at in range(count)]


# --- a model as plain data ----------------------------------------------------------------------


def spec(model: nn.Module) -> Spec:
    """{"class_name", "config", "state"}: plain data that `kit.model` builds the model from; tied tensors once."""
    config: Any = model.config
    state, seen = {}, set()
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            state[name] = tensor.detach()
    plain = json.loads(config.to_json_string(use_diff=False))
    return {"class_name": type(model).__name__, "config": plain, "state": state}


def skeleton_spec(described: Spec) -> Spec:
    """The same model untrained: its class and configuration, no weights."""
    return {**described, "state": None}


# --- the course's files -------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _course_model(name: str, outliers: bool, home: Path) -> nn.Module:
    if outliers:
        return with_outliers(_course_model(name, False, home))
    from safetensors.torch import load  # noqa: PLC0415 - slow to import

    config = json.loads(_course_file(home, f"models/{name}/config.json")) | {
        "dtype": "float32"
    }  # the file's is float16
    state = load(_course_file(home, f"models/{name}/model.safetensors"))
    model = _build(config["architectures"][0], config, {key: value.float() for key, value in state.items()})
    return model.requires_grad_(False)


@lru_cache(maxsize=16)
def _course_rows(home: Path, file: str) -> Rows:
    from safetensors.torch import load  # noqa: PLC0415 - slow to import

    return {key: value.long() for key, value in load(_course_file(home, file)).items()}


def _home(folder: str | Path | None) -> Path:
    if folder is not None and not (Path(folder) / "manifest.json").is_file():
        raise PtqlabError(f"{folder} holds no manifest.json. Name the course's datasets folder.")
    return find_datasets(folder).resolve()


def _course_file(home: Path, file: str) -> bytes:
    """The bytes of a file that the manifest lists, compared with its sha256."""
    entry = json.loads((home / "manifest.json").read_text(encoding="utf-8")).get(file)
    if entry is None:
        raise PtqlabError(f"{home / 'manifest.json'} does not list {file}. {_AGAIN}")
    if not (home / file).is_file():
        raise PtqlabError(f"{home / file} is missing. {_AGAIN}")
    data = (home / file).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != entry["sha256"]:
        expected = entry["sha256"][:12]
        raise PtqlabError(
            f"{home / file} is not the file of the course: its sha256 should start {expected}, "
            f"but starts {found[:12]}. {_AGAIN}"
        )
    return data
