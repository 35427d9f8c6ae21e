"""The simulated device: right answers pass, CUDA's objections are made, and the counts are those of a GPU."""

from __future__ import annotations

import copy
import math
import operator
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from autograder.runtime.simulated import device as simulated

if not simulated.available():
    pytest.skip(simulated.unavailable_reason(), allow_module_level=True)

SIM = simulated.DEVICE


def inputs(device: torch.device) -> SimpleNamespace:
    """The same data on any device: made on the CPU, then moved."""
    rng = torch.Generator().manual_seed(5)
    x = torch.randn(4, 6, generator=rng)
    host = {
        "x": x,
        "y": torch.randn(4, 6, generator=rng),
        "v": torch.randn(6, generator=rng),
        "c": torch.rand(3, 5, 8, generator=rng),
        "img": torch.randn(2, 3, 5, 5, generator=rng),
        "kernel": torch.randn(4, 3, 3, 3, generator=rng),
        "logits": torch.randn(3, 7, generator=rng) * 20,
        "d": torch.randn(4, 4, generator=rng).double(),
        "h": torch.randn(4, 6, generator=rng).half(),
        "b": torch.randn(4, 6, generator=rng).bfloat16(),
        "i": torch.randint(-8, 8, (4, 6), generator=rng, dtype=torch.int8),
        "u": torch.randint(0, 256, (4, 6), generator=rng, dtype=torch.uint8),
        "n": torch.randint(0, 6, (12,), generator=rng),
        "ix": torch.tensor([2, 0, 3]),
        "cols": torch.randint(0, 6, (4, 2), generator=rng),
        "mask": x > 0,
        "nan": torch.tensor([1.0, math.nan, math.inf, -2.0]),
        "s": torch.tensor(0.5),
        "wide": torch.randint(-128, 128, (32, 16), generator=rng, dtype=torch.int8),
        "wide2": torch.randint(-128, 128, (16, 8), generator=rng, dtype=torch.int8),
        "ids": torch.randint(0, 10, (2, 5), generator=rng),
    }
    return SimpleNamespace(device=device, **{k: t.to(device) for k, t in host.items()})


def assigned(target: torch.Tensor, key: Any, value: Any) -> torch.Tensor:
    target[key] = value
    return target


def module(make: Callable[[], nn.Module], t: SimpleNamespace) -> Any:
    torch.manual_seed(3)
    return make().to(t.device)


def grads(loss: torch.Tensor, *leaves: torch.Tensor) -> Any:
    loss.backward()
    return [leaf.grad for leaf in leaves]


def out_of(operation: Any, *args: Any, like: torch.Tensor, size: Any = 0) -> torch.Tensor:
    out = torch.empty(size, dtype=like.dtype, device=like.device)
    operation(*args, out=out)
    return out


# Every entry is something a right answer may do: the simulated device must give what the CPU gives.
RIGHT: dict[str, Callable[[SimpleNamespace], Any]] = {
    # elementwise
    "add": lambda t: t.x + t.y,
    "add_broadcast": lambda t: t.x + t.v,
    "radd_scalar": lambda t: 2 - t.x * 3,
    "zero_dim_cpu_operand": lambda t: t.x / torch.tensor(0.25),
    "mul_chain": lambda t: (t.x * t.y).div(3).sub(1).neg(),
    "pow": lambda t: (t.x**2, t.x.abs().pow(0.5), 2**t.x),
    "round_clamp": lambda t: torch.clamp(torch.round(t.x / 0.1), -128, 127).to(torch.int8),
    "clamp_tensors": lambda t: torch.clamp(t.x, t.v - 1, t.v + 1),
    "clamp_min_max": lambda t: (t.x.clamp_min(0), t.x.clamp(max=t.v), t.x.clip(-1, 1)),
    "floor_ceil_trunc_frac": lambda t: (t.x.floor(), t.x.ceil(), t.x.trunc(), t.x.frac(), t.x.fix()),
    "sign_abs": lambda t: (t.x.sign(), abs(t.x), -t.x, t.x.absolute(), t.x.sgn()),
    "exp_log": lambda t: (
        t.x.exp(),
        t.x.abs().log(),
        t.x.abs().log2(),
        t.x.abs().log10(),
        t.x.expm1(),
        t.c.log1p(),
    ),
    "roots": lambda t: (t.c.sqrt(), t.c.rsqrt(), t.c.reciprocal(), t.x.square()),
    "trigonometry": lambda t: (t.x.sin(), t.x.tanh(), t.x.sigmoid(), t.x.erf()),
    "remainders": lambda t: (
        t.x % 0.3,
        torch.fmod(t.x, 0.3),
        t.x // 0.3,
        torch.div(t.x, 0.3, rounding_mode="trunc"),
    ),
    "maximum_minimum": lambda t: (torch.maximum(t.x, t.y), torch.minimum(t.x, t.v), torch.fmax(t.x, t.y)),
    "maximum_zero": lambda t: torch.maximum(t.x.max(), torch.zeros((), device=t.device)),
    "lerp_addcmul": lambda t: (torch.lerp(t.x, t.y, 0.3), torch.addcmul(t.x, t.x, t.y, value=2)),
    "where": lambda t: torch.where(t.x > 0, t.x, t.y),
    "where_scalars": lambda t: (torch.where(t.mask, t.x, 0.0), torch.where(t.mask, 1, 2)),
    "where_cpu_scalar": lambda t: torch.where(t.mask, t.x, torch.tensor(0.0)),
    "where_nonzero": lambda t: torch.where(t.mask),
    "comparisons": lambda t: (t.x > t.y, t.x <= 0, t.x == t.x, t.x.ne(t.y), t.i.ge(0)),
    "logical": lambda t: (t.mask & ~t.mask, t.mask | t.mask, torch.logical_not(t.mask), t.mask ^ True),
    "nan_handling": lambda t: (
        t.nan.isnan(),
        t.nan.isinf(),
        t.nan.isfinite(),
        t.nan.nan_to_num(0.0, 9.0, -9.0),
    ),
    "isclose": lambda t: torch.isclose(t.x, t.x + 1e-9),
    "cast_float_int": lambda t: (
        t.x.int(),
        t.x.long(),
        t.x.half(),
        t.x.bfloat16(),
        t.x.double(),
        t.i.float(),
        t.x.bool(),
    ),
    "to_dtype": lambda t: (
        t.x.to(torch.float64),
        t.x.to(dtype=torch.int16),
        t.h.to(torch.float32),
        t.x.type(torch.int8),
    ),
    "type_as": lambda t: t.i.type_as(t.x),
    "to_other": lambda t: t.i.to(t.x),
    "to_same_device": lambda t: t.x.to(t.device) is t.x,
    "mixed_dtypes": lambda t: (t.i + t.x, t.i * 2, t.u + t.i, t.i / 2, t.b + t.x),
    "half": lambda t: (t.h * 2 + 1, t.h.abs().amax(), t.h.float().mean()),
    "bfloat16": lambda t: (t.b * 2 + 1, t.b.abs().amax(), t.b.float().std()),
    "double": lambda t: (t.d @ t.d, t.d.std(), torch.round(t.d * 100)),
    # reductions
    "sums": lambda t: (
        t.x.sum(),
        t.x.sum(0),
        t.x.sum(dim=1, keepdim=True),
        t.i.sum(),
        t.i.sum(dtype=torch.int32),
    ),
    "means": lambda t: (
        t.x.mean(),
        t.x.mean((0, 1)),
        t.x.var(0),
        t.x.std(unbiased=False),
        torch.var_mean(t.x),
    ),
    "amax_amin": lambda t: (
        t.x.amax(),
        t.x.amax(0),
        t.x.amin(dim=1, keepdim=True),
        t.c.amax((0, 2), keepdim=True),
    ),
    "abs_amax": lambda t: t.x.abs().amax() / 127,
    "aminmax": lambda t: (*torch.aminmax(t.x), *torch.aminmax(t.x, dim=1, keepdim=True)),
    "max_min": lambda t: (t.x.max(), t.x.min(), *t.x.max(0), *t.x.min(dim=1, keepdim=True)),
    "max_fields": lambda t: (t.x.max(dim=1).values, t.x.max(dim=1).indices),
    "argmax": lambda t: (t.x.argmax(), t.x.argmax(1), t.x.argmin(0)),
    "norms": lambda t: (
        t.x.norm(),
        torch.linalg.vector_norm(t.x, dim=1),
        torch.linalg.norm(t.d),
        t.x.norm(p=1, dim=0),
    ),
    "prod_all_any": lambda t: (t.x.prod(), t.mask.all(), t.mask.any(0), t.x.count_nonzero(), t.x.all()),
    "logsumexp": lambda t: t.logits.logsumexp(-1),
    "median_mode": lambda t: (t.x.median(), *t.x.median(1), t.x.nanmedian(), *t.n.mode()),
    "quantile": lambda t: (torch.quantile(t.x, 0.9), t.x.quantile(0.5, dim=1, keepdim=True)),
    "quantile_tensor": lambda t: torch.quantile(t.x.abs(), torch.tensor([0.1, 0.99], device=t.device), dim=1),
    "nanquantile": lambda t: torch.nanquantile(t.x, 0.3),
    "kthvalue": lambda t: t.x.flatten().kthvalue(5),
    "sort": lambda t: (*t.x.sort(), *t.x.sort(dim=0, descending=True, stable=True)),
    "argsort_msort": lambda t: (t.x.argsort(), t.x.msort()),
    "topk": lambda t: (*t.x.topk(2), *t.x.topk(3, dim=0, largest=False)),
    "cumulative": lambda t: (t.x.cumsum(0), t.x.cumprod(1), *t.x.cummax(1), t.x.logcumsumexp(0), t.x.diff()),
    "histc": lambda t: (torch.histc(t.x, 16, -3, 3), t.x.abs().histc(bins=8), t.x.histc()),
    "bincount": lambda t: (t.n.bincount(), t.n.bincount(minlength=9), t.n.bincount(t.n.float())),
    "unique": lambda t: (t.i.unique(), *torch.unique(t.n, return_inverse=True, return_counts=True)),
    "unique_dim": lambda t: (t.i.unique(dim=0), *torch.unique_consecutive(t.n, return_counts=True)),
    "searchsorted": lambda t: (
        torch.searchsorted(t.v.sort().values, t.x),
        torch.bucketize(t.x, t.v.sort().values),
    ),
    "isin": lambda t: (torch.isin(t.i, torch.tensor([1, 2], device=t.device)), torch.isin(t.n, 3)),
    "trace_diag": lambda t: (t.d.trace(), t.d.diag(), torch.diag(t.v), torch.diag_embed(t.v), t.d.diagonal()),
    "tril_triu": lambda t: (t.d.tril(), t.d.triu(1), torch.tril_indices(3, 3, device=t.device)),
    # indexing
    "basic_index": lambda t: (t.x[0], t.x[:, 1:4], t.x[..., -1], t.x[None], t.x[1, 2], t.x[::2]),
    "mask_index": lambda t: (t.x[t.mask], t.x[t.x > 99], t.x[t.mask.any(1)]),
    "integer_index": lambda t: (t.x[t.ix], t.x[:, t.ix], t.x[[0, 2]], t.x[t.ix, t.ix]),
    "cpu_index": lambda t: (t.x[torch.tensor([1, 0])], t.x[torch.tensor([True, False, True, False])]),
    "lookup_table": lambda t: t.v[t.n],
    "masked_select": lambda t: t.x.masked_select(t.mask),
    "masked_fill": lambda t: (t.x.masked_fill(t.mask, 0.0), t.x.masked_fill(t.mask, t.s)),
    "masked_scatter": lambda t: t.x.masked_scatter(t.mask, t.y),
    "nonzero": lambda t: (t.mask.nonzero(), *t.mask.nonzero(as_tuple=True), torch.argwhere(t.mask)),
    "gather": lambda t: (t.x.gather(1, t.cols), t.x.take(t.n), torch.take_along_dim(t.x, t.cols, 1)),
    "index_select": lambda t: (t.x.index_select(0, t.ix), t.x.select(1, 2), t.x.narrow(1, 1, 3)),
    "scatter": lambda t: (
        t.x.scatter(1, t.cols, 0.0),
        t.x.scatter_add(1, t.cols, t.y),
        t.x.scatter(1, t.cols, t.y),
    ),
    "scatter_reduce": lambda t: t.x.scatter_reduce(1, t.cols, t.y, "amax"),
    "index_add": lambda t: (
        t.x.index_add(0, t.ix, t.y[:3]),
        t.x.index_copy(0, t.ix, t.y[:3]),
        t.x.index_fill(0, t.ix, 1),
    ),
    "set_mask_scalar": lambda t: assigned(t.x, t.mask, 0),
    "set_mask_tensor": lambda t: assigned(t.x, t.mask, t.y[t.mask]),
    "set_mask_expression": lambda t: assigned(t.x, t.x.abs() < 0.5, 7.0),
    "set_cpu_mask": lambda t: assigned(t.x, torch.tensor([True, False, True, False]), 3.0),
    "set_all": lambda t: assigned(t.x, ..., t.y),
    "set_slice": lambda t: assigned(t.x, (slice(None), slice(0, 2)), t.y[:, :2]),
    "set_slice_from_cpu": lambda t: assigned(t.x, 0, torch.ones(6)),
    "set_element": lambda t: assigned(t.x, (1, 2), 5.0),
    "set_integer_index": lambda t: assigned(t.x, t.ix, 0.0),
    "set_integer_index_tensor": lambda t: assigned(t.x, (t.ix, t.ix), t.v[:3]),
    "set_integer_index_cpu_scalar": lambda t: assigned(t.x, t.ix, torch.tensor(4.0)),
    "set_strided": lambda t: assigned(t.u, (slice(None), slice(0, None, 2)), 9),
    "index_put": lambda t: (t.x.index_put((t.ix,), t.v), t.x.index_put_((t.ix, t.ix), t.s, accumulate=True)),
    "put_take": lambda t: t.x.put_(t.ix, t.v[:3]),
    # shapes and views
    "reshape": lambda t: (
        t.x.reshape(2, 12),
        t.x.view(-1),
        t.x.flatten(),
        t.x.T.reshape(-1),
        t.c.view(3, -1),
    ),
    "transposes": lambda t: (
        t.x.t(),
        t.x.T,
        t.c.mT,
        t.c.permute(2, 0, 1),
        t.c.transpose(0, 2),
        t.c.movedim(0, -1),
    ),
    "squeezes": lambda t: (
        t.x.unsqueeze(0),
        t.x[None].squeeze(),
        t.x[..., None].squeeze(-1),
        t.x.unsqueeze(1),
    ),
    "expands": lambda t: (
        t.v.expand(4, 6),
        t.v.repeat(2, 1),
        t.x.expand_as(t.x),
        torch.broadcast_to(t.v, (4, 6)),
    ),
    "tile_interleave": lambda t: (t.v.tile(2), t.v.repeat_interleave(2), t.x.repeat_interleave(3, dim=1)),
    "repeat_interleave_tensor": lambda t: t.v.repeat_interleave(torch.tensor([1, 2, 0, 1, 3, 1], device=t.device)),
    "flips": lambda t: (t.x.flip(0), t.x.fliplr(), t.x.roll(1, 0), torch.rot90(t.x)),
    "unfold": lambda t: (t.x.unfold(1, 3, 3), t.x.unflatten(1, (2, 3)), t.x.unflatten(-1, (-1, 2))),
    "groups": lambda t: t.x.reshape(4, 2, 3).abs().amax(-1),
    "as_strided": lambda t: t.x.as_strided((2, 3), (6, 2), 1),
    "cat_stack": lambda t: (
        torch.cat([t.x, t.y]),
        torch.stack((t.x, t.y), -1),
        torch.hstack([t.x, t.y]),
        torch.vstack([t.v]),
    ),
    "cat_empty": lambda t: torch.cat([torch.empty(0, device=t.device), t.v]),
    "splits": lambda t: (
        *t.x.chunk(2, 1),
        *t.x.split(3, dim=1),
        *t.x.split([1, 3]),
        *t.x.tensor_split(2),
        *t.x.unbind(),
    ),
    "meshgrid": lambda t: torch.meshgrid(t.v, t.v, indexing="ij"),
    "pad": lambda t: (F.pad(t.x, (1, 2)), F.pad(t.x, (0, 2), value=3.0)),
    "contiguous": lambda t: (t.x.T.contiguous(), t.x.T.is_contiguous(), t.x.stride(), t.x.T.stride()),
    "one_long_strides": lambda t: (
        t.x[:1].stride(),
        t.x[:, :1].stride(),
        t.x[:1].abs().amax(1, keepdim=True).stride(),
    ),
    "block_diag_kron": lambda t: (torch.block_diag(t.d, t.d), torch.kron(t.d, t.d), torch.outer(t.v, t.v)),
    # bits
    "nibbles": lambda t: (t.u & 0xF, t.u >> 4, (t.u & 0xF) | (t.u << 4), t.u ^ 0x88, ~t.u),
    "nibble_round_trip": lambda t: ((t.i[:, ::2] & 15) | ((t.i[:, 1::2] & 15) << 4)).to(torch.uint8),
    "signed_nibble": lambda t: ((t.u & 0xF).to(torch.int8) ^ 8) - 8,
    "shifts": lambda t: (t.i << 4 >> 4, torch.bitwise_left_shift(t.i, 1), t.i.bitwise_and(3), 1 << t.n),
    "view_dtype": lambda t: (
        t.i.view(torch.uint8),
        t.u.view(torch.int8),
        t.x.view(torch.int32),
        t.u[:1].view(torch.int16),
    ),
    "int_arithmetic": lambda t: (
        t.i.abs(),
        -t.i,
        t.i // 2,
        t.i % 3,
        t.n.cumsum(0),
        t.i.to(torch.int32) * t.i,
    ),
    # making tensors
    "zeros_ones": lambda t: (
        torch.zeros(3, device=t.device),
        torch.ones(2, 3, device=t.device, dtype=torch.int8),
    ),
    "full_empty": lambda t: (
        torch.full((2,), 7.0, device=t.device),
        torch.empty(2, 3, device=t.device).zero_(),
    ),
    "ranges": lambda t: (
        torch.arange(5, device=t.device),
        torch.arange(1, 3, 0.5, device=t.device),
        torch.linspace(0, 1, 5, device=t.device),
        torch.eye(3, device=t.device),
        torch.logspace(0, 2, 3, device=t.device),
    ),
    "tensor": lambda t: (torch.tensor([1.0, 2.0], device=t.device), torch.tensor(3, device=t.device)),
    "tensor_nested": lambda t: torch.tensor([[1, 2], [3, 4]], dtype=torch.int8, device=t.device),
    "tensor_empty_list": lambda t: torch.tensor([], device=t.device),
    "as_tensor": lambda t: (
        torch.as_tensor(0.5, device=t.device),
        torch.as_tensor(t.x),
        torch.as_tensor([1, 2], device=t.device),
    ),
    "scalar_tensor": lambda t: torch.scalar_tensor(2.0, device=t.device),
    "likes": lambda t: (
        torch.zeros_like(t.x),
        torch.ones_like(t.i),
        torch.full_like(t.x, 3),
        torch.empty_like(t.x).fill_(1),
    ),
    "like_dtype": lambda t: (torch.zeros_like(t.x, dtype=torch.int8), torch.ones_like(t.x, device=t.device)),
    "news": lambda t: (t.x.new_zeros(2), t.x.new_ones(2, 3), t.x.new_full((2,), 5), t.x.new_empty(2).zero_()),
    "new_tensor": lambda t: (t.x.new_tensor([1, 2]), t.x.new_tensor(3.5), t.i.new_tensor([[1]])),
    "clone_detach": lambda t: (t.x.clone(), t.x.detach(), t.x.data, t.x.clone().detach(), torch.clone(t.x.T)),
    "string_device": lambda t: torch.zeros(2, device=str(t.device)),
    "device_context": lambda t: torch.zeros(2, device=t.x.device.type),
    "from_numpy_then_move": lambda t: torch.from_numpy(np.arange(3.0)).to(t.device),
    "cpu_draw_then_move": lambda t: torch.rand(3, generator=torch.Generator().manual_seed(1)).to(t.device),
    # writing in place
    "add_": lambda t: t.x.add_(1),
    "operators_in_place": lambda t: operator.itruediv(operator.imul(operator.isub(operator.iadd(t.x, 1), t.v), 2), 3),
    "shifts_in_place": lambda t: operator.ior(operator.ilshift(t.u, 4), 1),
    "clamp_": lambda t: t.x.mul_(3).round_().clamp_(-2, 2),
    "masked_fill_": lambda t: t.x.masked_fill_(t.mask, -1.0),
    "copy_": lambda t: t.x.copy_(t.y),
    "copy_from_cpu": lambda t: t.x.copy_(torch.ones(4, 6)),
    "copy_cast": lambda t: t.i.copy_(t.x),
    "fill_zero": lambda t: (t.x.fill_(2), t.y.zero_(), t.v.fill_(t.s)),
    "through_view": lambda t: (t.x.view(-1)[3:9].mul_(0), t.x)[1],
    "through_transpose": lambda t: (t.x.T.add_(1), t.x)[1],
    "through_row": lambda t: (t.x[1].fill_(9), t.x)[1],
    "through_chunk": lambda t: (t.x.chunk(2, 1)[1].neg_(), t.x)[1],
    "through_detach": lambda t: (t.x.detach().zero_(), t.x)[1],
    "through_data": lambda t: (t.x.data.mul_(2), t.x)[1],
    "through_view_dtype": lambda t: (t.u.view(torch.int8).fill_(-1), t.u)[1],
    "transpose_": lambda t: (t.x.transpose_(0, 1), t.y.t_(), t.v.unsqueeze_(0), t.c.squeeze_()),
    "resize_": lambda t: (t.v.resize_(2, 2), t.x.resize_(3, 8)[:2]),
    "set_data": lambda t: (setattr(t.x, "data", t.y), t.x)[1],
    "out_empty": lambda t: out_of(torch.add, t.x, t.y, like=t.x),
    "out_sized": lambda t: out_of(torch.round, t.x, like=t.x, size=(4, 6)),
    "out_mm": lambda t: out_of(torch.mm, t.d, t.d, like=t.d, size=(4, 4)),
    "out_max": lambda t: torch.max(
        t.x, 1, out=(torch.empty(4, device=t.device), torch.empty(4, dtype=torch.long, device=t.device))
    ),
    "out_cat": lambda t: out_of(torch.cat, [t.v, t.v], like=t.v),
    # linear algebra and networks
    "matmul": lambda t: (
        t.x @ t.y.T,
        torch.mm(t.x, t.y.t()),
        t.x.matmul(t.v),
        t.v @ t.v,
        t.c @ t.c.mT,
        t.x.mv(t.v),
    ),
    "double_matmul_of_ints": lambda t: (t.i.double() @ t.i.double().T).to(torch.int32),
    "int_product_sum": lambda t: (t.i.int()[:, None] * t.i.int()[None]).sum(-1),
    "int_mm": lambda t: torch._int_mm(t.wide, t.wide2),
    "int_mm_few_rows": lambda t: torch._int_mm(t.wide[:16], t.wide2[:, :7]),
    "int8_matmul": lambda t: t.i @ t.i.T,
    "int32_mm": lambda t: torch.mm(t.i.int(), t.i.int().T),
    "int64_bmm": lambda t: t.n.view(2, 2, 3) @ t.n.view(2, 3, 2),
    "int_mv": lambda t: t.i.int() @ t.n[:6].int(),
    "int_dot": lambda t: torch.dot(t.n, t.n),
    "int_einsum": lambda t: torch.einsum("ij,kj->ik", t.i.int(), t.i.int()),
    "int_linear": lambda t: F.linear(t.i.int(), t.i.int()),
    "einsum": lambda t: (
        torch.einsum("ij,kj->ik", t.x, t.y),
        torch.einsum("bij->b", t.c),
        torch.tensordot(t.x, t.y, 2),
    ),
    "linalg": lambda t: (
        torch.linalg.inv(t.d),
        torch.linalg.solve(t.d, t.d),
        torch.linalg.cholesky(t.d @ t.d.T + torch.eye(4).to(t.d)),
    ),
    "svd": lambda t: torch.linalg.svdvals(t.d),
    "addmm": lambda t: (
        torch.addmm(t.d, t.d, t.d),
        torch.baddbmm(t.c[:, :, :5], t.c, t.c.mT),
        torch.bmm(t.c, t.c.mT),
    ),
    "linear": lambda t: (F.linear(t.x, t.y), F.linear(t.x, t.y, t.y[:, 0]), F.linear(t.c, t.c[0])),
    "softmax": lambda t: (
        t.logits.softmax(-1),
        F.log_softmax(t.logits, 1),
        F.softmin(t.x, 0),
        F.gumbel_softmax(t.x).shape,
    ),
    "kl_div": lambda t: (
        F.kl_div(t.logits.log_softmax(-1), t.logits.softmax(-1), reduction="batchmean"),
        F.kl_div(t.logits.log_softmax(-1), t.logits.log_softmax(-1), log_target=True, reduction="none"),
    ),
    "losses": lambda t: (
        F.mse_loss(t.x, t.y),
        F.l1_loss(t.x, t.y),
        F.cross_entropy(t.logits, t.ix),
        F.nll_loss(t.logits, t.ix),
    ),
    "similarity": lambda t: (
        F.cosine_similarity(t.x, t.y),
        F.cosine_similarity(t.v, t.v, dim=0),
        F.normalize(t.x),
    ),
    "cdist": lambda t: (torch.cdist(t.x, t.y), torch.dist(t.x, t.y), F.pairwise_distance(t.x, t.y)),
    "activations": lambda t: (
        F.relu(t.x),
        F.gelu(t.x),
        F.silu(t.x),
        F.gelu(t.x, approximate="tanh"),
        F.hardtanh(t.x),
        F.elu(t.x),
    ),
    "norm_layers": lambda t: (
        F.layer_norm(t.x, (6,)),
        F.rms_norm(t.x, (6,)),
        F.group_norm(t.img, 1),
        F.batch_norm(t.x, None, None, training=True),
    ),
    "convolutions": lambda t: (
        F.conv2d(t.img, t.kernel),
        F.conv1d(t.c, torch.ones_like(t.c)[:, :, :3]),
        F.conv_transpose2d(t.img, t.kernel.transpose(0, 1)),
    ),
    "pooling": lambda t: (
        F.max_pool2d(t.img, 2),
        F.avg_pool1d(t.c, 2),
        F.adaptive_avg_pool2d(t.img, 1),
        F.interpolate(t.img, scale_factor=2),
    ),
    "embedding": lambda t: (
        F.embedding(t.n, t.x[:, None].flatten(0, 1).repeat(2, 1)),
        F.one_hot(t.n),
        F.one_hot(t.n, 7),
    ),
    "attention": lambda t: F.scaled_dot_product_attention(t.c[None], t.c[None], t.c[None], is_causal=True),
    "complex": lambda t: (
        torch.complex(t.x, t.y).conj(),
        torch.complex(t.x, t.y).conj() * 2,
        torch.complex(t.x, t.y).conj().imag + 1,
        torch.fft.ifft(t.x).abs(),
        torch.complex(t.x, t.y).conj().clone(),
    ),
    "dropout_eval": lambda t: F.dropout(t.x, 0.5, training=False),
    "nn_linear": lambda t: module(lambda: nn.Linear(6, 3), t)(t.x),
    "nn_made_there": lambda t: nn.Linear(6, 3, device=t.device)(t.x).shape,
    "nn_embedding": lambda t: module(lambda: nn.Embedding(10, 4), t)(t.ids),
    "nn_layer_norm": lambda t: module(lambda: nn.LayerNorm(6), t)(t.x),
    "nn_conv": lambda t: module(lambda: nn.Conv2d(3, 2, 3), t)(t.img),
    "nn_sequential": lambda t: module(lambda: nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 2)), t)(t.x),
    "nn_attention": lambda t: module(lambda: nn.MultiheadAttention(8, 2, batch_first=True), t)(t.c, t.c, t.c)[0],
    "nn_transformer": lambda t: module(lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), t)(t.c),
    "vmap": lambda t: torch.vmap(lambda row: row / row.abs().amax())(t.x),
    "vmap_two": lambda t: torch.func.vmap(lambda a, b: (a * b).sum())(t.x, t.y),
    # autograd
    "backward": lambda t: grads((t.x.requires_grad_() ** 2).sum(), t.x),
    "backward_direct": lambda t: grads(
        (t.x.requires_grad_().abs() + t.x.square() + t.x.clone()).sum() + torch.stack([t.x, t.x]).sum(), t.x
    ),
    "backward_zeros": lambda t: grads(t.x.requires_grad_().sgn().sum() + t.x.sum() * 0, t.x),
    "backward_zeros_alone": lambda t: [g + 1 for g in grads(t.x.requires_grad_().sgn().sum(), t.x)],
    "backward_matmul": lambda t: grads((t.x.requires_grad_() @ t.y.requires_grad_().T).relu().mean(), t.x, t.y),
    "backward_index": lambda t: grads(t.x.requires_grad_()[t.mask].sum(), t.x),
    "backward_view": lambda t: grads(t.x.requires_grad_().view(-1)[2:7].exp().sum(), t.x),
    "backward_conv": lambda t: grads(
        F.conv2d(t.img.requires_grad_(), t.kernel.requires_grad_()).sum(), t.img, t.kernel
    ),
    "backward_norm": lambda t: grads(F.layer_norm(t.x.requires_grad_(), (6,)).pow(3).sum(), t.x),
    "autograd_grad": lambda t: torch.autograd.grad(t.x.requires_grad_().sin().sum(), t.x),
    "no_grad": lambda t: torch.no_grad()(lambda: t.x.requires_grad_() * 2)(),
    "inference_mode": lambda t: torch.inference_mode()(lambda: t.x * 2 + t.x.view(-1)[:6])(),
    "straight_through": lambda t: t.x.requires_grad_() + (t.x.round() - t.x).detach(),
    # to Python
    "item": lambda t: (t.s.item(), float(t.s), int(t.n[0]), bool(t.mask[0, 0]), t.n[1].item()),
    "tolist": lambda t: (t.x.tolist(), t.s.tolist(), t.i.tolist(), t.mask.tolist()),
    "iteration": lambda t: [row.abs().amax() for row in t.x],
    "enumerate_zip": lambda t: [(k, a * b) for k, (a, b) in enumerate(zip(t.x, t.y, strict=True))],
    "len_size": lambda t: (
        len(t.x),
        t.x.shape,
        t.x.size(0),
        t.x.numel(),
        t.x.dim(),
        t.x.ndim,
        t.x.element_size(),
        t.x.nbytes,
    ),
    "contains": lambda t: 3 in t.n,
    "index_protocol": lambda t: ([10, 11, 12, 13, 14, 15][t.n[0]], range(10)[t.n[1]]),
    "finite_check": lambda t: [
        None if torch.isfinite(t.x).all() else 1,
        not torch.isfinite(t.nan).all(),
        t.nan.isnan().any().item(),
    ],
    "min_max_python": lambda t: (
        max(t.x.max().item(), 0.0),
        min(t.x.min(), torch.zeros((), device=t.device)),
    ),
    "allclose": lambda t: (
        torch.allclose(t.x, t.x + 1e-9),
        torch.equal(t.x, t.y),
        torch.equal(t.x, t.x.clone()),
    ),
    "finfo": lambda t: (torch.finfo(t.x.dtype).eps, torch.iinfo(t.i.dtype).max, t.x.dtype.is_floating_point),
    "predicates": lambda t: (
        t.x.is_floating_point(),
        torch.is_tensor(t.x),
        t.x.is_contiguous(),
        t.x.is_cuda,
        t.x.is_sparse,
        t.x.is_quantized,
    ),
    "exact_type": lambda t: (
        type(t.x) is torch.Tensor,
        isinstance(nn.Parameter(t.x), nn.Parameter),
        type(nn.Parameter(t.x)).__name__,
    ),
    "format": lambda t: (f"{t.s:.3f}", f"{t.x.max():.2e}", f"{t.n[0]:d}", format(t.s, "8.1f")),
    "cpu_then_numpy": lambda t: (t.x.cpu().numpy().tolist(), np.asarray(t.x.detach().cpu()).sum().item()),
    "storage_identity": lambda t: (
        t.x.data_ptr() == t.x.view(-1).data_ptr(),
        t.x.data_ptr() == t.y.data_ptr(),
        t.x.untyped_storage().nbytes(),
    ),
    "deepcopy": lambda t: (copy.deepcopy(t.x), copy.copy(t.x)),
    "shape_errors_as_usual": lambda t: raised(lambda: t.x @ t.x),
}


def raised(action: Callable[[], Any]) -> str:
    with pytest.raises(RuntimeError) as caught:
        action()
    return str(caught.value)


def leaves(value: Any) -> Iterator[Any]:
    """Every plain value and tensor in nested tuples and lists."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def assert_same(got: Any, want: Any, device: torch.device) -> None:
    """Same structure, dtypes, shapes and values; every tensor on the device."""
    assert type(got) is type(want)
    for mine, theirs in zip(leaves(got), leaves(want), strict=True):
        if isinstance(theirs, torch.Tensor):
            assert mine.device == device
            assert mine.stride() == theirs.stride()
            assert mine.requires_grad == theirs.requires_grad
            torch.testing.assert_close(simulated.to_host(mine), theirs.detach(), rtol=2e-6, atol=2e-6, equal_nan=True)
        else:
            assert mine == theirs


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_gives_what_it_gives_on_the_cpu(name: str) -> None:
    cpu, sim = inputs(torch.device("cpu")), None
    with simulated.session():
        sim = inputs(SIM)
        got = RIGHT[name](sim)
    want = RIGHT[name](cpu)
    assert_same(got, want, SIM)
    for key in vars(cpu):
        if key != "device":  # what was written in place, and what was not
            assert_same(getattr(sim, key), getattr(cpu, key), SIM)


def test_a_tensor_says_where_it_is() -> None:
    x = inputs(SIM).x
    assert (x.device.type, x.get_device(), x.is_cpu, x.is_cuda) == ("sim", 0, False, False)
    assert str(x.device) == "sim:0"


def test_a_tensor_like_one_may_be_made_on_the_cpu() -> None:
    x = inputs(SIM).x
    made = (torch.zeros_like(x, device="cpu"), torch.full_like(x, 2, device="cpu"), x.new_ones(2, device="cpu"))
    assert [t.device.type for t in made] == ["cpu", "cpu", "cpu"]
    assert [t.sum().item() for t in made] == [0, 48, 2]


# ---------------------------------------------------------------- what CUDA refuses

TWO_DEVICES = "Expected all tensors to be on the same device, but found at least two devices, sim:0 and cpu"
NO_NUMPY = "can't convert sim:0 device type tensor to numpy"
CPU_INDEX = "indices should be either on cpu or on the same device as the indexed tensor"

WRONG: dict[str, tuple[Callable[[SimpleNamespace], Any], type[Exception], str]] = {
    "add_cpu": (lambda t: t.x + torch.zeros(6), simulated.DeviceError, TWO_DEVICES),
    "cpu_add": (lambda t: torch.zeros(6) * t.x, simulated.DeviceError, TWO_DEVICES),
    "one_element_vector": (lambda t: t.x * torch.tensor([2.0]), simulated.DeviceError, TWO_DEVICES),
    "in_place_from_cpu": (lambda t: t.x.add_(torch.ones(6)), simulated.DeviceError, TWO_DEVICES),
    "cpu_in_place": (lambda t: torch.ones(4, 6).add_(t.x), simulated.DeviceError, TWO_DEVICES),
    "cpu_scalar_in_place": (lambda t: torch.tensor(1.0).mul_(t.s), simulated.DeviceError, TWO_DEVICES),
    "out_on_cpu": (lambda t: torch.add(t.x, t.y, out=torch.empty(4, 6)), simulated.DeviceError, TWO_DEVICES),
    "clamp_bounds": (
        lambda t: torch.clamp(t.x, torch.zeros(6), torch.ones(6)),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "where_condition": (
        lambda t: torch.where(torch.ones(6) > 0, t.x, t.y),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "where_other": (lambda t: torch.where(t.mask, t.x, torch.zeros(6)), simulated.DeviceError, TWO_DEVICES),
    "compare": (lambda t: t.x > torch.zeros(6), simulated.DeviceError, TWO_DEVICES),
    "maximum": (lambda t: torch.maximum(t.x, torch.zeros(6)), simulated.DeviceError, TWO_DEVICES),
    "cat": (lambda t: torch.cat([t.v, torch.zeros(1)]), simulated.DeviceError, TWO_DEVICES),
    "stack_scalars": (lambda t: torch.stack([t.s, torch.tensor(0.0)]), simulated.DeviceError, TWO_DEVICES),
    "matmul": (lambda t: t.x @ torch.ones(6, 2), simulated.DeviceError, TWO_DEVICES),
    "linear_bias": (lambda t: F.linear(t.x, t.y, torch.ones(4)), simulated.DeviceError, TWO_DEVICES),
    "layer_left_behind": (lambda t: nn.Linear(6, 2)(t.x), simulated.DeviceError, TWO_DEVICES),
    "input_left_behind": (
        lambda t: nn.Linear(6, 2).to(SIM)(torch.ones(1, 6)),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "embedding_ids": (lambda t: F.embedding(torch.tensor([1]), t.x), simulated.DeviceError, TWO_DEVICES),
    "gather_index": (lambda t: t.x.gather(1, torch.zeros(4, 2).long()), simulated.DeviceError, TWO_DEVICES),
    "scatter_source": (
        lambda t: t.x.scatter(1, t.cols, torch.ones(4, 2)),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "index_select_index": (
        lambda t: t.x.index_select(0, torch.tensor([1])),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "masked_fill_mask": (
        lambda t: t.x.masked_fill(torch.ones(6) > 0, 0.0),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "bucketize_edges": (
        lambda t: torch.bucketize(t.x, torch.arange(3.0)),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "isin_values": (lambda t: torch.isin(t.n, torch.tensor([1, 2])), simulated.DeviceError, TWO_DEVICES),
    "set_mask_from_cpu": (lambda t: assigned(t.x, t.ix, torch.ones(6)), simulated.DeviceError, TWO_DEVICES),
    "set_cpu_mask_from_device": (
        lambda t: assigned(torch.ones(6), torch.ones(6) > 0, t.v),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "loss_target": (lambda t: F.mse_loss(t.x, torch.ones(4, 6)), simulated.DeviceError, TWO_DEVICES),
    "kl_target": (lambda t: F.kl_div(t.x, torch.ones(4, 6)), simulated.DeviceError, TWO_DEVICES),
    "allclose_with_cpu": (lambda t: torch.allclose(t.x, t.x.cpu()), simulated.DeviceError, TWO_DEVICES),
    "equal_with_cpu_scalar": (
        lambda t: torch.equal(t.s, torch.tensor(0.5)),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "equal_with_cpu": (lambda t: torch.equal(t.x, t.x.cpu()), simulated.DeviceError, TWO_DEVICES),
    "device_argument_forgotten": (
        lambda t: t.x / torch.full((4, 1), 0.1),
        simulated.DeviceError,
        TWO_DEVICES,
    ),
    "cpu_indexed_by_device": (lambda t: torch.arange(6.0)[t.n], simulated.DeviceError, CPU_INDEX),
    "cpu_masked_by_device": (lambda t: torch.zeros(4, 6)[t.mask], simulated.DeviceError, CPU_INDEX),
    "quantile_of_cpu_q": (lambda t: torch.quantile(t.x, torch.tensor([0.5])), RuntimeError, "same device"),
    "cpu_generator": (
        lambda t: torch.randn(3, generator=torch.Generator(), device=t.device),
        simulated.DeviceError,
        "Expected a 'sim' device type for generator but found 'cpu'",
    ),
    "numpy": (lambda t: t.x.numpy(), TypeError, NO_NUMPY),
    "asarray": (lambda t: np.asarray(t.x), TypeError, NO_NUMPY),
    "dunder_array": (lambda t: t.x.__array__(), TypeError, NO_NUMPY),
    "ufunc": (lambda t: np.round(t.x / 0.1), TypeError, NO_NUMPY),
    "array_of_rows": (lambda t: np.array(list(t.x)), TypeError, NO_NUMPY),
    "parameter_numpy": (lambda t: nn.Parameter(t.x).detach().numpy(), TypeError, NO_NUMPY),
    "histogram": (lambda t: torch.histogram(t.x, 10), simulated.DeviceError, "use torch.histc"),
    "histogramdd": (lambda t: torch.histogramdd(t.x[:, :2], 3), simulated.DeviceError, "use torch.histc"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_objected_to(name: str) -> None:
    action, kind, words = WRONG[name]
    with simulated.session(), pytest.raises(kind) as caught:
        action(inputs(SIM))
    assert words in str(caught.value)


@pytest.mark.parametrize("name", [n for n, (_, kind, _) in WRONG.items() if kind is simulated.DeviceError])
def test_the_cpu_has_no_such_objection(name: str) -> None:
    """Which shows that the entry is a mistake of devices and not another one."""
    host = inputs(torch.device("cpu"))
    if name != "input_left_behind":
        WRONG[name][0](host)


def test_no_objection_looks_like_an_unwritten_function() -> None:
    assert not issubclass(simulated.DeviceError, NotImplementedError)
    with pytest.raises(simulated.DeviceError, match=r"no kernel for aten\._thnn_fused_lstm_cell"):
        nn.LSTM(6, 2).to(SIM)(inputs(SIM).x)


# ---------------------------------------------------------------- what is counted

COUNTS: dict[str, tuple[Callable[[SimpleNamespace], Any], int, int]] = {  # synchronisations, moved elements
    "arithmetic": (lambda t: torch.clamp(torch.round(t.x / t.x.abs().amax()), -8, 7).to(torch.int8), 0, 0),
    "matmul": (lambda t: F.linear(t.x, t.y).softmax(-1), 0, 0),
    "make_and_move_in": (lambda t: torch.zeros(9, device=t.device) + torch.ones(9).to(t.device), 0, 0),
    "tensor_from_list": (lambda t: torch.tensor([1.0, 2.0, 3.0], device=t.device), 0, 0),
    "copy_in": (lambda t: t.x.copy_(torch.ones(4, 6)), 0, 0),
    "cast": (lambda t: (t.x.half(), t.x.to(torch.int8), t.i.type_as(t.x)), 0, 0),
    "integer_index": (lambda t: t.x[t.ix] + t.x.index_select(0, t.ix), 0, 0),
    "masked_fill": (lambda t: t.x.masked_fill_(t.mask, 0.0), 0, 0),
    "set_mask_to_scalar": (lambda t: assigned(t.x, t.mask, 0.0), 0, 0),
    "where": (lambda t: torch.where(t.mask, t.x, t.y), 0, 0),
    "shape_questions": (
        lambda t: (t.x.shape, t.x.dtype, t.x.device, t.x.stride(), len(t.x), t.x.dim()),
        0,
        0,
    ),
    "quantile_sort_topk": (lambda t: (t.x.quantile(0.9), t.x.sort(), t.x.topk(2)), 0, 0),
    "histc_with_range": (lambda t: t.x.histc(9, -3, 3), 0, 0),
    "item": (lambda t: t.s.item(), 1, 0),
    "float": (lambda t: float(t.s), 1, 0),
    "int_of_sum": (lambda t: int(t.n.sum()), 1, 0),
    "if": (lambda t: 1 if t.x.max() > 0 else 2, 1, 0),
    "isfinite_all": (lambda t: bool(torch.isfinite(t.x).all()), 1, 0),
    "python_max": (lambda t: max(t.x.max(), t.y.max()), 1, 0),
    "format": (lambda t: f"{t.s:.3f}", 1, 0),
    "print": (lambda t: repr(t.x), 1, 0),
    "allclose": (lambda t: torch.allclose(t.x, t.x), 1, 0),
    "equal": (lambda t: torch.equal(t.x, t.x), 1, 0),
    "mask_index": (lambda t: t.x[t.mask], 1, 0),
    "set_mask_to_tensor": (lambda t: assigned(t.x, t.mask.any(1), t.y[:1]), 1, 0),
    "masked_select": (lambda t: t.x.masked_select(t.mask), 1, 0),
    "nonzero": (lambda t: t.mask.nonzero(), 1, 0),
    "where_alone": (lambda t: torch.where(t.mask), 1, 0),
    "unique": (lambda t: t.n.unique(), 1, 0),
    "bincount": (lambda t: t.n.bincount(), 1, 0),
    "histc_without_range": (lambda t: t.x.histc(9), 1, 0),
    "one_element_to_cpu": (lambda t: t.s.cpu(), 1, 0),
    "one_element_tolist": (lambda t: t.n[:1].tolist(), 1, 0),
    "element_loop": (lambda t: [v.item() for v in t.x.flatten()], 24, 0),
    "element_loop_float": (lambda t: [float(v) for v in t.v], 6, 0),
    "channel_loop": (lambda t: [row.abs().amax().item() for row in t.x], 4, 0),
    "tensor_of_list_of_scalars": (lambda t: torch.tensor([t.s, t.s]), 2, 0),
    "cpu": (lambda t: t.x.cpu(), 0, 24),
    "to_cpu": (lambda t: t.x.to("cpu"), 0, 24),
    "to_cpu_cast": (lambda t: t.x.to(torch.device("cpu"), torch.float64), 0, 24),
    "cpu_of_view": (lambda t: t.x[:, :2].cpu(), 0, 8),
    "tolist": (lambda t: t.x.tolist(), 0, 24),
    "copy_out": (lambda t: torch.zeros(4, 6).copy_(t.x), 0, 24),
    "set_cpu_slice": (lambda t: assigned(torch.zeros(8, 6), slice(0, 4), t.x), 0, 24),
    "numpy_through_cpu": (lambda t: np.asarray(t.x.cpu()), 0, 24),
    "numpy_forced": (lambda t: t.x.numpy(force=True), 0, 24),
    "type_string": (lambda t: t.x.type(torch.FloatTensor), 0, 24),
    "as_tensor_cpu": (lambda t: torch.as_tensor(t.x, device="cpu"), 0, 24),
    "module_to_cpu": (lambda t: nn.Linear(6, 2).to(t.device).to("cpu"), 0, 14),
    "nothing_to_move": (lambda t: t.x[:0].cpu(), 0, 0),
    "there_and_back": (lambda t: t.x.cpu().round().to(t.device), 0, 24),
}


@pytest.mark.parametrize("name", COUNTS)
def test_synchronisations_and_moves_are_counted(name: str) -> None:
    action, syncs, moved = COUNTS[name]
    t = inputs(SIM)
    with simulated.session() as ledger:
        action(t)
    assert (ledger.syncs, ledger.moved_elements) == (syncs, moved)


@pytest.mark.parametrize("name", COUNTS)
def test_nothing_is_counted_on_the_cpu(name: str) -> None:
    t = inputs(torch.device("cpu"))
    with simulated.session() as ledger:
        if name not in {"module_to_cpu", "there_and_back"}:
            COUNTS[name][0](t)
    assert (ledger.ops, ledger.syncs, ledger.moved_elements) == (0, 0, 0)


def test_an_operation_is_counted_once() -> None:
    t = inputs(SIM)
    with simulated.session() as ledger:
        (t.x + t.y).abs().amax(1)
    assert ledger.ops == 3


def test_an_element_loop_shows_in_the_operations() -> None:
    t = inputs(SIM)
    with simulated.session() as ledger:
        for value in t.x.flatten():
            value.mul_(2)
    assert ledger.ops >= 2 * 24


def test_the_graders_own_moves_are_not_counted() -> None:
    with simulated.session() as ledger:
        back = simulated.to_host(simulated.to_device(torch.arange(6.0)))
    assert back.tolist() == [0, 1, 2, 3, 4, 5]
    assert (ledger.ops, ledger.syncs, ledger.moved_elements) == (0, 0, 0)


def test_sessions_nest_and_the_innermost_counts() -> None:
    t = inputs(SIM)
    with simulated.session() as outer:
        with simulated.session():
            pass
        with simulated.session() as inner:
            t.s.item()
        t.x.cpu()
    t.s.item()
    assert (outer.syncs, outer.moved_elements, inner.syncs, inner.moved_elements) == (0, 24, 1, 0)


def test_threads_are_counted_and_checked() -> None:
    t, found = inputs(SIM), []

    def work() -> None:
        t.s.item()
        try:
            t.x + torch.zeros(6)
        except simulated.DeviceError as error:
            found.append(error)

    with simulated.session() as ledger:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(found) == 1
    assert ledger.syncs == 1


# ---------------------------------------------------------------- views and memory

SHAPE = (3, 4, 5)
VIEWS: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda t: t.transpose(0, -1),
    lambda t: t.flip(0).view(t.shape),
    lambda t: t[..., 1:],
    lambda t: t[::2],
    lambda t: t.unsqueeze(0),
    lambda t: t.reshape(-1),
    lambda t: t.detach(),
    lambda t: t.data,
    lambda t: t.narrow(-1, 0, 1),
    lambda t: t.expand(2, *t.shape)[1],
    lambda t: t.flatten(0, 1) if t.dim() > 1 else t,
    lambda t: t.unfold(-1, 2, 2) if t.shape[-1] > 1 else t,
    lambda t: t.view(torch.int32).view(torch.float32),
    lambda t: t.chunk(2, 0)[0],
    lambda t: t.movedim(0, -1),
]
WRITES: list[Callable[[torch.Tensor], Any]] = [
    lambda t: t.add_(1.5),
    lambda t: t.mul_(-2),
    lambda t: t.zero_(),
    lambda t: t.copy_(t.clone().exp()),
    lambda t: t.clamp_(-0.5, 0.5),
    lambda t: t.masked_fill_(t > 0, 3.0),
    lambda t: assigned(t, t < 0, 7.0),
    lambda t: assigned(t, 0, 1.0),
    lambda t: t.round_(),
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(views=st.lists(st.sampled_from(VIEWS), max_size=4), writes=st.lists(st.sampled_from(WRITES), max_size=3))
def test_writing_through_any_chain_of_views_writes_what_the_cpu_writes(views: Any, writes: Any) -> None:
    base = torch.linspace(-2, 2, 60).reshape(SHAPE)
    here, there = base.clone(), simulated.to_device(base)
    with simulated.session():
        for tensor in (here, there):
            view = tensor
            for step in views:
                view = step(view)
            for write in writes:
                write(view)
            tensor.last = view  # type: ignore[attr-defined]
    assert_same(there, here, SIM)
    assert_same(there.last, here.last, SIM)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    dtype=st.sampled_from(
        [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.int64]
    ),
    flipped=st.booleans(),
)
def test_a_round_trip_changes_nothing(shape: list[int], dtype: torch.dtype, flipped: bool) -> None:
    x = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    x = x.transpose(0, -1) if flipped and shape else x
    moved = simulated.to_device(x)
    assert (moved.dtype, moved.shape, moved.stride(), moved.device) == (
        x.dtype,
        x.shape,
        x.clone().stride(),
        SIM,
    )
    assert torch.equal(simulated.to_host(moved), x)


def test_what_was_moved_is_a_copy_in_both_directions() -> None:
    x = torch.zeros(3)
    moved = simulated.to_device(x)
    seen = simulated.to_host(moved)
    moved.add_(1)
    assert (x.sum(), seen.sum(), simulated.to_host(moved).sum()) == (0, 0, 3)


def test_a_tensor_elsewhere_is_handed_back_detached() -> None:
    x = torch.ones(2, requires_grad=True)
    assert not simulated.to_host(x).requires_grad
    assert not simulated.to_device(x).requires_grad
    assert simulated.is_simulated(simulated.to_device(x))
    assert not simulated.is_simulated(x)


def test_a_sparse_tensor_is_refused_in_words() -> None:
    with pytest.raises(simulated.DeviceError, match=r"expected a dense tensor .* use to_dense"):
        simulated.to_device(torch.eye(2).to_sparse())


def test_memory_lives_as_long_as_any_tensor_over_it() -> None:
    def view() -> torch.Tensor:
        return simulated.to_device(torch.arange(1000.0))[990:]

    kept = [view() for _ in range(50)]
    torch.full((100_000,), 7.0)
    assert all(simulated.to_host(t).tolist() == list(range(990, 1000)) for t in kept)


def test_tensors_outlive_their_session() -> None:
    with simulated.session():
        x = simulated.to_device(torch.arange(3.0)) + 1
    assert simulated.to_host(x * 2).tolist() == [2, 4, 6]


# ---------------------------------------------------------------- modules and models


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(ids)) * self.scale


def test_a_module_moves_as_to_cuda() -> None:
    torch.manual_seed(0)
    model, ids = Tied(), torch.tensor([[1, 2]])
    weight, want = model.embed.weight, model(ids).detach()
    weight.note = "kept"  # type: ignore[attr-defined]
    with simulated.session():
        assert model.to(SIM) is model
        assert model.embed.weight is weight  # the parameter itself moved
        assert model.head.weight is weight  # and stays tied
        assert weight.note == "kept"  # type: ignore[attr-defined]
        assert {t.device for t in model.state_dict().values()} == {SIM}
        assert_same(model(ids.to(SIM)).detach(), want, SIM)
        model.cpu()
    assert model.head.weight is weight
    assert_same(model(ids).detach(), want, torch.device("cpu"))


def test_a_module_moves_whose_parameters_can_not_be_kept() -> None:
    layer = nn.Linear(3, 2)
    held = layer(torch.ones(1, 3)), weakref.ref(layer.weight)  # a live graph, and what torch can't swap
    layer.to(SIM)
    assert (layer.weight.device, layer.bias.device, held[0].device.type) == (SIM, SIM, "cpu")


def test_deepcopy_keeps_device_ties_and_independence() -> None:
    model = Tied().to(SIM)
    twin = copy.deepcopy(model)
    assert twin.head.weight is twin.embed.weight
    assert twin.embed.weight.device == SIM
    with torch.no_grad():
        twin.embed.weight.zero_()
        twin.scale.add_(1)
    assert simulated.to_host(model.embed.weight).abs().sum() > 0
    assert (simulated.to_host(model.scale), simulated.to_host(twin.scale)) == (0.5, 1.5)


def test_state_dicts_load_across_devices() -> None:
    source, target = nn.Linear(3, 2), nn.Linear(3, 2).to(SIM)
    target.load_state_dict(source.state_dict())
    assert_same(target.weight.detach(), source.weight.detach(), SIM)
    back = nn.Linear(3, 2)
    back.load_state_dict(target.state_dict())
    assert torch.equal(back.weight, source.weight)


def test_hooks_see_simulated_tensors() -> None:
    seen = []
    layer = nn.Linear(3, 2).to(SIM)
    handle = layer.register_forward_hook(lambda _, args, out: seen.extend([args[0].device, out.device]))
    layer(torch.ones(1, 3, device=SIM))
    handle.remove()
    assert seen == [SIM, SIM]


def test_an_optimizer_steps() -> None:
    def train(device: torch.device) -> torch.Tensor:
        torch.manual_seed(1)
        layer, x = nn.Linear(3, 2).to(device), torch.ones(4, 3).to(device)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            layer(x).pow(2).mean().backward()
            optimizer.step()
        return layer.weight.detach()

    assert_same(train(SIM), train(torch.device("cpu")), SIM)


def tiny_models() -> dict[str, Callable[[], nn.Module]]:
    import transformers as hf

    return {
        "bert": lambda: hf.BertModel(
            hf.BertConfig(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                vocab_size=50,
            )
        ),
        "gpt2": lambda: hf.GPT2LMHeadModel(
            hf.GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=50, n_positions=32, bos_token_id=0, eos_token_id=0)
        ),
        "llama": lambda: hf.LlamaForCausalLM(
            hf.LlamaConfig(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                intermediate_size=64,
                vocab_size=50,
            )
        ),
    }


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
def test_a_transformer_gives_the_cpus_outputs(name: str) -> None:
    torch.manual_seed(0)
    model, ids = tiny_models()[name]().eval(), torch.randint(0, 50, (2, 9))
    options = {} if name == "bert" else {"use_cache": False}
    with torch.no_grad():
        want = model(input_ids=ids, **options)[0]
        got = model.to(SIM)(input_ids=ids.to(SIM), **options)[0]
    assert got.device == SIM
    torch.testing.assert_close(simulated.to_host(got), want, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- printing


def test_a_tensor_prints_as_on_the_cpu_with_its_device() -> None:
    x = torch.tensor([1.5, -2.0])
    assert repr(simulated.to_device(x)) == "tensor([ 1.5000, -2.0000], device='sim:0')"
    assert str(simulated.to_device(torch.ones(2, dtype=torch.int8))) == (
        "tensor([1, 1], device='sim:0', dtype=torch.int8)"
    )


# ---------------------------------------------------------------- the process around it


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_touches_nothing() -> None:
    code = """
        import torch
        before = torch.accelerator.current_accelerator(), torch._C._get_privateuse1_backend_name()
        from autograder.runtime.simulated import device as simulated
        print(before == (torch.accelerator.current_accelerator(), torch._C._get_privateuse1_backend_name()))
    """
    assert fresh(code) == "True"


def test_it_is_an_accelerator_only_while_a_session_is_open() -> None:
    code = """
        import torch
        before = torch.accelerator.current_accelerator()
        from autograder.runtime.simulated import device as simulated
        with simulated.session():
            torch.accelerator.synchronize()
            print(torch.accelerator.current_accelerator(), torch.accelerator.is_available())
        print(torch.accelerator.current_accelerator() == before)
        print(torch.accelerator.is_available() == (before is not None))
    """
    assert fresh(code) == "sim True\nTrue\nTrue"


def test_it_says_why_it_is_not_there() -> None:
    code = """
        import torch
        torch.utils.rename_privateuse1_backend("other")
        from autograder.runtime.simulated import device as simulated
        print(simulated.available(), simulated.unavailable_reason())
        try:
            simulated.session().__enter__()
        except simulated.DeviceError as error:
            print(error)
    """
    said = "The simulated device needs torch's spare backend, which 'other' has taken in this process."
    assert fresh(code) == f"False {said}\n{said}"


def test_a_torch_without_the_private_api_gives_a_reason_and_imports() -> None:
    code = """
        import torch
        del torch._C._from_dlpack
        from autograder.runtime.simulated import device as simulated
        print(simulated.available(), "_from_dlpack" in simulated.unavailable_reason())
    """
    assert fresh(code) == "False True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_it_works_in_a_child_of_the_process_that_set_it_up() -> None:
    code = """
        import os, torch
        from autograder.runtime.simulated import device as simulated
        assert simulated.available()
        child = os.fork()
        if child == 0:
            with simulated.session() as ledger:
                x = simulated.to_device(torch.ones(2)).requires_grad_()
                (x * 3).sum().backward()
                os._exit(0 if simulated.to_host(x.grad).tolist() == [3, 3] and ledger.ops else 1)
        print(os.waitpid(child, 0)[1])
    """
    assert fresh(code) == "0"
