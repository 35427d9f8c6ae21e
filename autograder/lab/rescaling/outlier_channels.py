"""Outlier channels that are honest: the model computes the same, but its activations have a few far larger channels.

In large language models a few channels of the activations are tens to thousands of times larger than the rest
(Dettmers et al., LLM.int8(), 2022). Small models have none, so they quantize too easily. Multiplying a channel by a
power of
two and dividing the columns that read it changes exponents only: every product, and so every logit, stays the same to
the bit.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autograder.records import PtqlabError


@torch.no_grad()
def with_outliers(model: nn.Module, factor: float = 64.0, channels: int = 2) -> nn.Module:
    """A copy of `model` in which `channels` channels of each site are `factor` times larger; same logits to the bit.

    Sites: GPT-2, each LayerNorm and the linear layer after it; Llama, each RMSNorm and the layers that read it, and
    up_proj and down_proj; BERT, each value layer and the output layer of the same attention. Always the same
    channels: those
    with the largest weights in what makes them. Raises PtqlabError for another architecture, a factor that is no
    power of two, or more channels than there are.
    """
    if factor <= 0 or math.frexp(factor)[0] != 0.5:
        raise PtqlabError(f"expected a power of two as factor, so that the outputs stay equal; got {factor}.")
    made = copy.deepcopy(model)
    for producers, norms_of, consumers in _sites(made):
        if not 0 < channels <= len(norms_of):
            raise PtqlabError(f"expected between 1 and {len(norms_of)} outlier channels, got {channels}.")
        chosen = norms_of.argsort(descending=True, stable=True)[:channels]
        for tensor in producers:
            tensor[chosen] *= factor
        for columns in consumers:
            columns[:, chosen] /= factor
    return made


# (tensors whose first dimension is the channel, each channel's size, weights as [out, in] views whose `in` it is)
Site = tuple[Sequence[Tensor], Tensor, Sequence[Tensor]]


def _sites(model: nn.Module) -> Iterator[Site]:
    kind = str(getattr(getattr(model, "config", None), "model_type", type(model).__name__))
    found = {"gpt2": _gpt2_sites, "llama": _llama_sites, "bert": _bert_sites}.get(kind)
    if found is None:
        raise PtqlabError(f"expected a BERT, GPT-2 or Llama model to give outliers to, got {kind}.")
    for module in model.modules():
        yield from found(module)


def _gpt2_sites(module: Any) -> Iterator[Site]:
    if type(module).__name__ == "GPT2Block":
        for norm, layer in ((module.ln_1, module.attn.c_attn), (module.ln_2, module.mlp.c_fc)):
            yield (norm.weight, norm.bias), norm.weight.abs(), (layer.weight.T,)  # Conv1D is [in, out]


def _llama_sites(module: Any) -> Iterator[Site]:
    if type(module).__name__ == "LlamaDecoderLayer":
        attention, mlp = module.self_attn, module.mlp
        readers = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
        yield _norm(module.input_layernorm, readers)
        yield _norm(module.post_attention_layernorm, [mlp.gate_proj.weight, mlp.up_proj.weight])
        yield _rows(mlp.up_proj), mlp.up_proj.weight.norm(dim=1), (mlp.down_proj.weight,)


def _bert_sites(module: Any) -> Iterator[Site]:
    if type(module).__name__ == "BertAttention":
        value, output = module.self.value, module.output.dense
        yield _rows(value), value.weight.norm(dim=1), (output.weight,)


def _norm(norm: Any, readers: Sequence[Tensor]) -> Site:
    return (norm.weight,), norm.weight.abs(), readers


def _rows(layer: Any) -> tuple[Tensor, ...]:
    return (layer.weight,) if layer.bias is None else (layer.weight, layer.bias)
