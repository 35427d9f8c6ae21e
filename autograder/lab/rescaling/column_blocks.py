"""A Llama model that computes the same with weights of very different size beside each other.

In large models the columns of a weight differ by an order of magnitude, and one scale for a whole row is too coarse.
Small
models are more even. Multiplying channels by a power of two and dividing the columns that read them makes them uneven
and
changes exponents only: the float logits stay the same to the bit.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 128  # channels: as many as share one scale in lab 05


@torch.no_grad()
def with_uneven_channels(model: nn.Module, factor: float = 8.0) -> nn.Module:
    """A copy of a Llama model in which every second block of 128 channels is `factor` (a power of two) times larger.

    Channels: what each norm, each value projection and each up projection gives out; the weights that read them are
    divided by it. The head's own norm too, unless the head is tied.
    """
    made = copy.deepcopy(model)
    for producers, readers in _sites(made):
        scale = torch.ones(len(producers))
        scale.view(-1, BLOCK)[1::2] = factor
        producers.mul_(scale.reshape(-1, *[1] * (producers.dim() - 1)))
        for weight in readers:
            weight.div_(scale)
    return made


def _sites(made: Any) -> Iterator[tuple[Tensor, Sequence[Tensor]]]:
    """(what makes the channels, the weights [out, in] whose `in` they are)."""
    for layer in made.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        readers = (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight)
        yield layer.input_layernorm.weight, readers
        yield layer.post_attention_layernorm.weight, (mlp.gate_proj.weight, mlp.up_proj.weight)
        yield mlp.up_proj.weight, (mlp.down_proj.weight,)
        if (
            attention.v_proj.weight.shape[0] == attention.o_proj.weight.shape[1]
        ):  # as many heads for keys as for queries
            yield attention.v_proj.weight, (attention.o_proj.weight,)
    if not made.config.tie_word_embeddings:
        yield made.model.norm.weight, (made.lm_head.weight,)
