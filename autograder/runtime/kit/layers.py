"""Single layers with given weights, on the device of the weights."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Module)


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """An nn.Linear with weight [out, in] and bias [out]."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return _filled(layer, weight, bias)


def conv1d(weight: Tensor, bias: Tensor | None = None) -> nn.Module:
    """GPT-2's Conv1D with weight [in, out] and bias [out] (zeros by default: it always has one)."""
    from transformers.pytorch_utils import Conv1D  # noqa: PLC0415 - torch alone is much lighter

    bias = torch.zeros(weight.shape[1], dtype=weight.dtype, device=weight.device) if bias is None else bias
    layer: nn.Module = Conv1D(weight.shape[1], weight.shape[0])
    return _filled(layer, weight, bias)


def embedding(weight: Tensor) -> nn.Embedding:
    """An nn.Embedding with weight [rows, width]."""
    return _filled(nn.Embedding(weight.shape[0], weight.shape[1], device="meta"), weight)


def layer_norm(weight: Tensor, bias: Tensor | None = None) -> nn.LayerNorm:
    """An nn.LayerNorm over the last dimension, weight [width] and bias [width]."""
    return _filled(nn.LayerNorm(weight.shape[0], bias=bias is not None, device="meta"), weight, bias)


def rms_norm(weight: Tensor) -> nn.Module:
    """Llama's RMSNorm with weight [width]."""
    from transformers.models.llama.modeling_llama import LlamaRMSNorm  # noqa: PLC0415

    norm: nn.Module = LlamaRMSNorm(weight.shape[0])
    return _filled(norm, weight)


def sequential(*layers: nn.Module) -> nn.Sequential:
    """The layers one after the other, named "0", "1", …"""
    return nn.Sequential(*layers)


def _filled(layer: Layer, weight: Tensor, bias: Tensor | None = None) -> Layer:
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer
