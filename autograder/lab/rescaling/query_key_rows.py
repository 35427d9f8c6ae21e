"""Weights whose rows differ in range: the model computes the same, but one scale for a whole weight serves few rows.

In trained models of some size the output channels of a layer differ by orders of magnitude; small models are too even
for
that to show. An attention score is a product of a query and a key, so rows of the query layer may be multiplied by a
power of two if the same rows of the key layer are divided by it. Only exponents change: every logit stays the same to
the bit.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from autograder.records import PtqlabError


@torch.no_grad()
def with_uneven_rows(model: nn.Module, spread: int = 5) -> nn.Module:
    """A copy of a GPT-2 or Llama `model` whose query and key rows are scaled by 2^−spread … 2^spread; same logits to
    the bit.

    Always the same rows get the same powers. Raises PtqlabError for another architecture.
    """
    made = copy.deepcopy(model)
    found = False
    for module in made.modules():
        for queries, keys, powers in _pairs(module, spread):
            found = True
            queries.mul_(powers.reshape(-1, *[1] * (queries.dim() - 1)))
            keys.div_(powers.reshape(-1, *[1] * (keys.dim() - 1)))
    if not found:
        raise PtqlabError(f"expected a GPT-2 or Llama model to give uneven rows to, got {type(model).__name__}.")
    return made


def _pairs(module: Any, spread: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(query rows, key rows, their powers) of an attention module: first dimensions are output channels."""
    kind = type(module).__name__
    if kind == "GPT2Attention":
        width = module.embed_dim
        parts = [tensor.T if tensor.dim() == 2 else tensor for tensor in (module.c_attn.weight, module.c_attn.bias)]
        powers = _powers(width, spread)
        return [(part[:width], part[width : 2 * width], powers) for part in parts]
    if kind == "LlamaAttention" and module.q_proj.weight.shape == module.k_proj.weight.shape:
        rows, half = module.q_proj.weight.shape[0], module.head_dim // 2
        heads = _powers(rows // 2, spread).reshape(-1, 1, half)  # rotation mixes a channel and the one half a head on
        powers = heads.expand(-1, 2, half).reshape(-1)
        pairs = [(module.q_proj.weight, module.k_proj.weight, powers)]
        return pairs if module.q_proj.bias is None else [*pairs, (module.q_proj.bias, module.k_proj.bias, powers)]
    return []


def _powers(count: int, spread: int) -> Tensor:
    """2^−spread … 2^spread, over and over, in an order that no neighbour shares."""
    steps = 2 * spread + 1
    return 2.0 ** ((torch.arange(count) * 7) % steps - spread)
