"""Llama checkpoints in safetensors shards at the student's end: from given weights, or large ones from a seed."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autograder.runtime.kit.files import folder

INDEX_FILE = "model.safetensors.index.json"
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
    config = llama_config(layers, width, inner, vocabulary, dtype="float16")
    parts = list(_by_layer(llama_shapes(config)))
    values = torch.randn(RANDOM_BYTES // 2, generator=torch.Generator().manual_seed(layers)) * 0.02
    content, target = values.half().numpy().tobytes(), Path(folder())
    for number, part in enumerate(parts, start=1):
        _write_shard(target / _shard_name(number, len(parts)), part, content)
    total = sum(2 * math.prod(shape) for part in parts for shape in part.values())
    _write_index(target, config, [list(part) for part in parts], total)
    return str(target)


def discard(path: str) -> None:
    """Remove a folder that the kit made, and all that is in it."""
    target = Path(path).resolve()
    if target.parent != Path(tempfile.gettempdir()).resolve() or not target.name.startswith("artifact-"):
        raise ValueError("expected a folder that the kit made")
    shutil.rmtree(target, ignore_errors=True)


def llama_config(layers: int, width: int, inner: int, vocabulary: int, **more: Any) -> dict[str, Any]:
    """What config.json says of a Llama model with heads of 64; `more` adds to it."""
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
        **more,
    }


def llama_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The name and the shape of every tensor of such a model: embedding, last norm, head unless tied, then the
    layers.
    """
    width, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    narrow = width // config["num_attention_heads"] * config["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens": (vocabulary, width), "model.norm": (width,)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head"] = (vocabulary, width)
    for layer in range(config["num_hidden_layers"]):
        parts: dict[str, tuple[int, ...]] = {"input_layernorm": (width,), "post_attention_layernorm": (width,)}
        parts |= {"self_attn.q_proj": (width, width), "self_attn.o_proj": (width, width)}
        parts |= {"self_attn.k_proj": (narrow, width), "self_attn.v_proj": (narrow, width)}
        parts |= {"mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner)}
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in parts.items()}
    return {f"{name}.weight": shape for name, shape in shapes.items()}


def _by_layer(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[dict[str, tuple[int, ...]]]:
    for _, group in groupby(shapes.items(), key=lambda item: item[0].split(".")[2] if ".layers." in item[0] else ""):
        yield dict(group)


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
        for offset in range(0, ends[-1], len(content)):
            file.write(memoryview(content)[: ends[-1] - offset])


def _shard_name(number: int, count: int) -> str:
    return f"model-{number:05}-of-{count:05}.safetensors"


def _write_index(target: Path, config: Mapping[str, Any], parts: Sequence[Sequence[str]], total: int) -> None:
    names = {name: _shard_name(number, len(parts)) for number, part in enumerate(parts, start=1) for name in part}
    index = {"metadata": {"total_size": total}, "weight_map": names}
    (target / INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")
    (target / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
