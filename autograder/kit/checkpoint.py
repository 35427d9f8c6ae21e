"""Llama checkpoints in safetensors shards at the student's end: from given weights, or large ones from a seed."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autograder.kit.files import folder

INDEX = "model.safetensors.index.json"
RANDOM_BYTES = 1 << 20  # what a large checkpoint is made of, again and again: writing it takes no more memory
HEADER_LENGTH = 8  # bytes, little endian, before the header


def checkpoint(config: Mapping[str, Any], state: Mapping[str, Tensor], shards: int = 2) -> str:
    """A new folder with config.json, the tensors in that many shards, in their order, and the index."""
    from safetensors.torch import save_file  # noqa: PLC0415 - only where a checkpoint is written

    target = Path(folder())
    ends = accumulate(tensor.nbytes for tensor in state.values())
    total = sum(tensor.nbytes for tensor in state.values())
    parts: list[dict[str, Tensor]] = [{} for _ in range(shards)]
    for (name, tensor), end in zip(state.items(), ends, strict=True):
        parts[(end - 1) * shards // total][name] = tensor.contiguous()
    for number, part in enumerate(parts, start=1):
        save_file(part, target / _shard_name(number, shards), metadata={"format": "pt"})
    _write_index(target, config, [list(part) for part in parts], total)
    return str(target)


def large_checkpoint(layers: int, width: int, inner: int, vocabulary: int) -> str:
    """A new folder with a float16 checkpoint of random weights, one shard a layer: size without memory.

    Every matrix is cut from the same megabyte of values, so writing takes hardly more than that.
    """
    config = _llama(layers, width, inner, vocabulary)
    parts = list(_shapes(config))
    values = torch.randn(RANDOM_BYTES // 2, generator=torch.Generator().manual_seed(layers)) * 0.02
    content, target = values.half().numpy().tobytes(), Path(folder())
    for number, part in enumerate(parts, start=1):
        _write_shard(target / _shard_name(number, len(parts)), part, content)
    total = sum(2 * math.prod(shape) for part in parts for shape in part.values())
    _write_index(target, config, [list(part) for part in parts], total)
    return str(target)


def discard(path: str) -> None:
    """Remove a folder that the kit made, and all that is in it."""
    found = Path(path).resolve()
    if found.parent != Path(tempfile.gettempdir()).resolve() or not found.name.startswith("artifact-"):
        raise ValueError("expected a folder that the kit made")
    shutil.rmtree(found, ignore_errors=True)


def _llama(layers: int, width: int, inner: int, vocabulary: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "num_key_value_heads": width // 64,
        "max_position_embeddings": 64,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
    }


def _shapes(config: Mapping[str, Any]) -> Iterator[dict[str, tuple[int, ...]]]:
    """The tensors of each shard: the embedding with the last norm and the head, then the layers."""
    width, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    ends = {"model.embed_tokens.weight": (vocabulary, width), "lm_head.weight": (vocabulary, width)}
    yield {**ends, "model.norm.weight": (width,)}
    for layer in range(config["num_hidden_layers"]):
        attention = {f"self_attn.{part}_proj": (width, width) for part in "qkvo"}
        mlp = {"mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner)}
        norms = {"input_layernorm": (width,), "post_attention_layernorm": (width,)}
        parts: dict[str, tuple[int, ...]] = {**attention, **mlp, **norms}
        yield {f"model.layers.{layer}.{name}.weight": shape for name, shape in parts.items()}


def _write_shard(path: Path, shapes: Mapping[str, tuple[int, ...]], content: bytes) -> None:
    """One safetensors file in float16, written piece by piece; the format is a header and the tensors' bytes."""
    ends = list(accumulate(2 * math.prod(shape) for shape in shapes.values()))
    spans = zip([0, *ends], ends, strict=False)
    header = {
        name: {"dtype": "F16", "shape": list(shape), "data_offsets": list(span)}
        for (name, shape), span in zip(shapes.items(), spans, strict=True)
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(HEADER_LENGTH, "little") + text)
        for at in range(0, ends[-1], len(content)):
            file.write(memoryview(content)[: ends[-1] - at])


def _shard_name(number: int, count: int) -> str:
    return f"model-{number:05}-of-{count:05}.safetensors"


def _write_index(target: Path, config: Mapping[str, Any], parts: Sequence[Sequence[str]], total: int) -> None:
    names = {name: _shard_name(number, len(parts)) for number, part in enumerate(parts, start=1) for name in part}
    index = {"metadata": {"total_size": total}, "weight_map": names}
    (target / INDEX).write_text(json.dumps(index), encoding="utf-8")
    (target / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
