"""Weights that differ by a little more than one step: the bytes alone show how fine a checkpoint's steps are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from autograder.runtime.kit.checkpoint import llama_shapes
from autograder.testing.expect import that
from autograder.testing.expect_checkpoint import Files, changed_bytes, compressed, quantized

if TYPE_CHECKING:
    from autograder.testing.proxy import Student

Config = dict[str, Any]
State = dict[str, Tensor]

LEAST_SEEN = 0.97  # of the changed weights; two may share a byte
GROUP_BYTES = 80  # what a changed weight may change, if the scale of its group follows from the whole group
LEVELS = tuple(range(-3, 4))
EACH = 4 * len(LEVELS)  # changed weights in each matrix


def stepped(shape: Sequence[int], rng: torch.Generator, group: int = 128) -> tuple[Tensor, Tensor]:
    """float32 weights [out, in] and the 4-bit step of each: powers of two that differ by row and by group."""
    rows, groups = shape[0], shape[1] // group
    exponents = (torch.arange(rows)[:, None] + 2 * torch.arange(groups)) % 4
    step = torch.exp2(-6.0 - exponents).repeat_interleave(group, dim=1)
    weight = (torch.rand(shape, generator=rng) * 12 - 6) * step
    weight[:, ::group] = 7 * step[:, ::group]  # the largest of its group
    return weight, step


def probes(config: Config, rng: torch.Generator, dtype: torch.dtype) -> tuple[State, State]:
    """Two states of a model that differ in a few weights of each matrix, by a little more than one 4-bit step."""
    before: State = {}
    after: State = {}
    for name, shape in llama_shapes(config).items():
        if len(shape) == 1:
            before[name] = after[name] = (1 + 0.1 * torch.randn(shape, generator=rng)).to(dtype)
            continue
        weight, step = stepped(shape, rng)
        rows = torch.randperm(shape[0], generator=rng)[:EACH]
        columns = torch.randint(1, 128, (EACH,), generator=rng) + 128 * (torch.arange(EACH) % (shape[1] // 128))
        middle = torch.tensor(LEVELS).repeat(EACH // len(LEVELS)).float()
        for state, shift in ((before, -0.55), (after, 0.55)):
            changed = weight.clone()
            changed[rows, columns] = (middle + shift) * step[rows, columns]
            state[name] = changed.to(dtype)
    return before, after


def check(student: Student, config: Config, rng: torch.Generator, dtype: torch.dtype, least_ratio: float) -> None:
    """Check that the files are small, and that each weight that moved by more than a step left its trace in them."""
    before, after = probes(config, rng, dtype)
    matrices = sum(tensor.dim() == 2 for tensor in before.values())
    first, second = (
        quantized(student, student.remote.checkpoint(config, state, shards=3)) for state in (before, after)
    )
    compressed(first, sum(tensor.nbytes for tensor in before.values()), least_ratio)
    words = (
        "weights were changed by more than a 4-bit step of their group, and many codes stayed: the steps are too coarse"
    )
    check_traces(first, second, EACH * matrices, words)


def check_traces(first: Files, second: Files, asked: int, words: str) -> None:
    """Check that so many changed weights changed bytes, and not many more; `words` say what it means otherwise."""
    seen = changed_bytes(first, second)
    that(seen >= LEAST_SEEN * asked, words, f"{seen} bytes differ for {asked} weights")
    that(seen <= GROUP_BYTES * asked, "changing few weights changes codes far from their groups")
