"""Assertions on a checkpoint that a student wrote: its files, its index, its size. Nothing is believed but bytes.

Files are uint8 tensors [size] by their path in the folder, as `student.remote.files` gives them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from autograder.runtime.kit.checkpoint import llama_config, llama_shapes
from autograder.testing.expect import MismatchError, that

if TYPE_CHECKING:
    from autograder.testing.proxy import Student

Files = Mapping[str, Tensor]

INDEX, CONFIG = "model.safetensors.index.json", "config.json"
SHAPE_KEYS = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
)
TARGET = "quantized"
MOST_JSON_BYTES = 1 << 20  # of an index, a config or a header: decoded, it takes the grader some 20 times that


def quantized(student: Student, source: str, **options: Any) -> dict[str, Tensor]:
    """What `quantize_checkpoint` writes for the checkpoint in `source`; written into a folder that is not there yet."""
    root = student.remote.folder()
    try:
        student.quantize_checkpoint(source, f"{root}/{TARGET}", **options)
        return below_target(student, root)
    finally:
        student.remote.discard(root)


def below_target(student: Student, root: str, alone: bool = False) -> dict[str, Tensor]:
    """The files in the target folder; there must be some, and, when asked, none beside it."""
    found = student.remote.files(root)
    files = {name.removeprefix(f"{TARGET}/"): data for name, data in found.items() if name.startswith(f"{TARGET}/")}
    that(bool(files), "nothing was written to target_dir")
    that(
        not alone or len(files) == len(found),
        "files were left beside target_dir; what is unfinished must go in the end",
    )
    return files


def nothing_left(student: Student, source: str, because: str) -> None:
    """`quantize_checkpoint` fails on this source, and afterwards there is no file in the target folder, or beside
    it.
    """
    root = student.remote.folder()
    try:
        refused(lambda: student.quantize_checkpoint(source, f"{root}/{TARGET}"), because)
        found = student.remote.files(root)
        inside = any(name.startswith(f"{TARGET}/") for name in found)
        that(
            not inside, f"{because}: a part of the result was left in target_dir; write elsewhere and rename in the end"
        )
        that(not found, f"{because}: unfinished files were left beside target_dir")
    finally:
        student.remote.discard(root)


def refused(call: Callable[[], object], because: str) -> None:
    """The call raises an error, whichever."""
    from autograder.runtime.errors import CrashedError, MissingError, RefusedError, TimedOutError  # noqa: PLC0415 - it needs torch's wire

    try:
        call()
    except (
        NotImplementedError,
        CrashedError,
        MissingError,
        RefusedError,
        TimedOutError,
    ):  # not an answer: the suite's own business
        raise
    except Exception:
        return
    raise MismatchError(f"{because}, and no error was raised")


def size(files: Files) -> int:
    """Bytes of all files together."""
    return sum(len(data) for data in files.values())


def compressed(files: Files, before: int, least: float) -> None:
    """All files together are at least `least` times smaller than `before` bytes of weights."""
    ratio = before / max(1, size(files))
    values = f"{ratio:.2f}x, expected at least {least}x ({size(files):,} bytes of {before:,})"
    if ratio >= least:
        return
    raise MismatchError(f"the files are too large: {_excess(files, before)}", values)


def _excess(files: Files, before: int) -> str:
    """What takes the room, as far as the files tell."""
    floats = sum(t.nbytes for t in tensors(files).values() if t.is_floating_point())
    if size(files) >= before:
        return "nothing is compressed"
    if floats > 0.15 * size(files):
        return "much of them is floating point; linears, embeddings and head are all packed"
    return "4-bit codes take half a byte each, and a scale serves a whole group"


def tensors(files: Files) -> dict[str, Tensor]:
    """Every tensor of every safetensors file among them, read by the grader itself."""
    from safetensors.torch import load  # noqa: PLC0415 - slow to import

    found: dict[str, Tensor] = {}
    for name, data in files.items():
        if name.endswith(".safetensors"):
            header_bytes = int.from_bytes(data[:8].numpy().tobytes(), "little")
            that(header_bytes <= MOST_JSON_BYTES, "the header of a safetensors file is larger than 1 MB", name)
            try:
                found |= load(data.numpy().tobytes())
            except Exception as error:  # whatever is wrong with it
                raise MismatchError("a file that ends in .safetensors is none", f"{name}: {error}") from None
    return found


def index_is_true(files: Files) -> None:
    """The index names exactly the tensors that are there, each with the file that holds it."""
    weight_map = _json(files, INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise MismatchError(f"{INDEX} has no weight_map: the name of every tensor, and the file that holds it")
    shards = {name for name in files if name.endswith(".safetensors")}
    that(bool(shards), "no safetensors file was written")
    named = {file for file in weight_map.values() if isinstance(file, str)}
    that(named <= shards, f"{INDEX} names a file that was not written", str(sorted(named - shards)[:3]))
    that(shards <= named, f"a shard was written that {INDEX} does not name", str(sorted(shards - named)[:3]))
    told_of: dict[str, set[str]] = {shard: set() for shard in shards}
    for name, file in weight_map.items():
        if isinstance(file, str):
            told_of[file].add(name)
    for shard, told in told_of.items():
        held = set(tensors({shard: files[shard]}))
        extra, lost = sorted(told - held)[:2], sorted(held - told)[:2]
        that(held >= told, f"{INDEX} names tensors that the file does not hold: it tells of the source", str(extra))
        that(held <= told, f"{INDEX} leaves out tensors that were written", str(lost))


def total_is_true(files: Files) -> None:
    """`total_size`, where the index gives one, is that of the tensors that were written."""
    told = (_json(files, INDEX).get("metadata") or {}).get("total_size")
    real = sum(tensor.nbytes for tensor in tensors(files).values())
    that(told is None or told == real, "total_size in the index is not that of the tensors", f"{told}, expected {real}")


def config_kept(files: Files, config: Mapping[str, Any]) -> None:
    """The target's config.json still describes the model."""
    found = _json(files, CONFIG)
    for key in SHAPE_KEYS:
        values = f"{found.get(key)!r}, expected {config[key]!r}"
        that(found.get(key) == config[key], f"config.json in the target lacks {key}, or has another", values)


def norms_kept(files: Files, state: Mapping[str, Tensor]) -> None:
    """Every one-dimensional weight is among the target's tensors with its values, as floats."""
    kept = [t.double() for t in tensors(files).values() if t.is_floating_point() and t.dim() == 1]
    for name, norm in state.items():
        if norm.dim() == 1:
            there = any(t.shape == norm.shape and torch.equal(t, norm.double()) for t in kept)
            that(
                there, "the weights of a norm are not in the target with their values: they are kept, not packed", name
            )


def _json(files: Files, name: str) -> dict[str, Any]:
    if name not in files:
        raise MismatchError(f"{name} was not written")
    that(len(files[name]) <= MOST_JSON_BYTES, f"{name} is larger than 1 MB", f"{len(files[name]):,} bytes")
    try:
        found = json.loads(bytes(files[name].numpy().tobytes()))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MismatchError(f"{name} holds no JSON object")
    return found


def same(files: Files, others: Files) -> bool:
    """Whether the names and the bytes are equal."""
    return files.keys() == others.keys() and all(torch.equal(data, others[name]) for name, data in files.items())


def changed_bytes(files: Files, others: Files) -> int:
    """In how many bytes the tensors of two results differ, by name; where they lie in a file is free."""
    ours, theirs = tensors(files), tensors(others)
    if {n: (t.dtype, t.shape) for n, t in ours.items()} != {n: (t.dtype, t.shape) for n, t in theirs.items()}:
        raise MismatchError("two checkpoints that differ in values alone give tensors of other names or shapes")
    return sum(int((_raw(tensor) != _raw(theirs[name])).sum()) for name, tensor in ours.items())


def _raw(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def holds_the_weights(student: Student, rng: torch.Generator) -> None:
    """A tiny checkpoint becomes smaller, and what was written follows the weights, and only them.

    Far from any threshold that a real quantizer could miss: this is asked first by every test that looks at something
    else,
    so that empty files of the right names earn nothing.
    """
    config = llama_config(1, 128, 128, 128)
    shapes = llama_shapes(config).items()
    state = {name: torch.randn(shape, generator=rng).to(torch.float16) for name, shape in shapes}
    first = quantized(student, student.remote.checkpoint(config, state))
    matrices = [weight for weight in state.values() if weight.dim() == 2]
    for weight in matrices:
        weight[3].neg_()
    changed = changed_bytes(first, quantized(student, student.remote.checkpoint(config, state))) / len(matrices)
    that(size(first) < 0.6 * sum(tensor.nbytes for tensor in state.values()), "the files are hardly smaller, or larger")
    that(changed >= 32, "a row of each matrix was changed, and hardly anything that was written changed with it")
    that(changed <= 512, "one row of each matrix was changed, and what was written changed far beyond it")


def divergence(logits: Tensor, others: Tensor) -> float:
    """How far `others` predict from `logits` [..., classes], in nats per row: their cross-entropy above the entropy."""
    wide, told = logits.double().flatten(0, -2), others.double().flatten(0, -2)
    entropy = torch.nn.functional.cross_entropy
    return float(entropy(told, wide.softmax(-1)) - entropy(wide, wide.softmax(-1)))
