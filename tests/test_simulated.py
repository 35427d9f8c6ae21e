"""The simulated device: right answers pass, CUDA's objections are made, and the counts are those of a GPU."""

from __future__ import annotations

import copy
import math
import operator
import subprocess
import sys
import textwrap
import threading
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

from autograder import simulated

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


# Every entry is something a right answer may do; it must give on the simulated device what it gives on the CPU.
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
    "exp_log": lambda t: (t.x.exp(), t.x.abs().log(), t.x.abs().log2(), t.x.abs().log10(), t.x.expm1(), t.c.log1p()),
    "roots": lambda t: (t.c.sqrt(), t.c.rsqrt(), t.c.reciprocal(), t.x.square()),
    "trigonometry": lambda t: (t.x.sin(), t.x.tanh(), t.x.sigmoid(), t.x.erf()),
    "remainders": lambda t: (t.x % 0.3, torch.fmod(t.x, 0.3), t.x // 0.3, torch.div(t.x, 0.3, rounding_mode="trunc")),
    "maximum_minimum": lambda t: (torch.maximum(t.x, t.y), torch.minimum(t.x, t.v), torch.fmax(t.x, t.y)),
    "maximum_zero": lambda t: torch.maximum(t.x.max(), torch.zeros((), device=t.device)),
    "lerp_addcmul": lambda t: (torch.lerp(t.x, t.y, 0.3), torch.addcmul(t.x, t.x, t.y, value=2)),
    "where": lambda t: torch.where(t.x > 0, t.x, t.y),
    "where_scalars": lambda t: (torch.where(t.mask, t.x, 0.0), torch.where(t.mask, 1, 2)),
    "where_cpu_scalar": lambda t: torch.where(t.mask, t.x, torch.tensor(0.0)),
    "where_nonzero": lambda t: torch.where(t.mask),
    "comparisons": lambda t: (t.x > t.y, t.x <= 0, t.x == t.x, t.x.ne(t.y), t.i.ge(0)),
    "logical": lambda t: (t.mask & ~t.mask, t.mask | t.mask, torch.logical_not(t.mask), t.mask ^ True),
    "nan_handling": lambda t: (t.nan.isnan(), t.nan.isinf(), t.nan.isfinite(), t.nan.nan_to_num(0.0, 9.0, -9.0)),
    "isclose": lambda t: torch.isclose(t.x, t.x + 1e-9),
    "cast_float_int": lambda t: (t.x.int(), t.x.long(), t.x.half(), t.x.bfloat16(), t.x.double(), t.i.float(), t.x.bool()),
    "to_dtype": lambda t: (t.x.to(torch.float64), t.x.to(dtype=torch.int16), t.h.to(torch.float32), t.x.type(torch.int8)),
    "type_as": lambda t: t.i.type_as(t.x),
    "to_other": lambda t: t.i.to(t.x),
    "to_same_device": lambda t: t.x.to(t.device) is t.x,
    "mixed_dtypes": lambda t: (t.i + t.x, t.i * 2, t.u + t.i, t.i / 2, t.b + t.x),
    "half": lambda t: (t.h * 2 + 1, t.h.abs().amax(), t.h.float().mean()),
    "bfloat16": lambda t: (t.b * 2 + 1, t.b.abs().amax(), t.b.float().std()),
    "double": lambda t: (t.d @ t.d, t.d.std(), torch.round(t.d * 100)),
    # reductions
    "sums": lambda t: (t.x.sum(), t.x.sum(0), t.x.sum(dim=1, keepdim=True), t.i.sum(), t.i.sum(dtype=torch.int32)),
    "means": lambda t: (t.x.mean(), t.x.mean((0, 1)), t.x.var(0), t.x.std(unbiased=False), torch.var_mean(t.x)),
    "amax_amin": lambda t: (t.x.amax(), t.x.amax(0), t.x.amin(dim=1, keepdim=True), t.c.amax((0, 2), keepdim=True)),
    "abs_amax": lambda t: t.x.abs().amax() / 127,
    "aminmax": lambda t: (*torch.aminmax(t.x), *torch.aminmax(t.x, dim=1, keepdim=True)),
    "max_min": lambda t: (t.x.max(), t.x.min(), *t.x.max(0), *t.x.min(dim=1, keepdim=True)),
    "max_fields": lambda t: (t.x.max(dim=1).values, t.x.max(dim=1).indices),
    "argmax": lambda t: (t.x.argmax(), t.x.argmax(1), t.x.argmin(0)),
    "norms": lambda t: (t.x.norm(), torch.linalg.vector_norm(t.x, dim=1), torch.linalg.norm(t.d), t.x.norm(p=1, dim=0)),
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
    "searchsorted": lambda t: (torch.searchsorted(t.v.sort().values, t.x), torch.bucketize(t.x, t.v.sort().values)),
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
    "scatter": lambda t: (t.x.scatter(1, t.cols, 0.0), t.x.scatter_add(1, t.cols, t.y), t.x.scatter(1, t.cols, t.y)),
    "scatter_reduce": lambda t: t.x.scatter_reduce(1, t.cols, t.y, "amax"),
    "index_add": lambda t: (t.x.index_add(0, t.ix, t.y[:3]), t.x.index_copy(0, t.ix, t.y[:3]), t.x.index_fill(0, t.ix, 1)),
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
    "reshape": lambda t: (t.x.reshape(2, 12), t.x.view(-1), t.x.flatten(), t.x.T.reshape(-1), t.c.view(3, -1)),
    "transposes": lambda t: (t.x.t(), t.x.T, t.c.mT, t.c.permute(2, 0, 1), t.c.transpose(0, 2), t.c.movedim(0, -1)),
    "squeezes": lambda t: (t.x.unsqueeze(0), t.x[None].squeeze(), t.x[..., None].squeeze(-1), t.x.unsqueeze(1)),
    "expands": lambda t: (t.v.expand(4, 6), t.v.repeat(2, 1), t.x.expand_as(t.x), torch.broadcast_to(t.v, (4, 6))),
    "tile_interleave": lambda t: (t.v.tile(2), t.v.repeat_interleave(2), t.x.repeat_interleave(3, dim=1)),
    "repeat_interleave_tensor": lambda t: t.v.repeat_interleave(torch.tensor([1, 2, 0, 1, 3, 1], device=t.device)),
    "flips": lambda t: (t.x.flip(0), t.x.fliplr(), t.x.roll(1, 0), torch.rot90(t.x)),
    "unfold": lambda t: (t.x.unfold(1, 3, 3), t.x.unflatten(1, (2, 3)), t.x.unflatten(-1, (-1, 2))),
    "groups": lambda t: t.x.reshape(4, 2, 3).abs().amax(-1),
    "as_strided": lambda t: t.x.as_strided((2, 3), (6, 2), 1),
    "cat_stack": lambda t: (torch.cat([t.x, t.y]), torch.stack((t.x, t.y), -1), torch.hstack([t.x, t.y]), torch.vstack([t.v])),
    "cat_empty": lambda t: torch.cat([torch.empty(0, device=t.device), t.v]),
    "splits": lambda t: (*t.x.chunk(2, 1), *t.x.split(3, dim=1), *t.x.split([1, 3]), *t.x.tensor_split(2), *t.x.unbind()),
    "meshgrid": lambda t: torch.meshgrid(t.v, t.v, indexing="ij"),
    "pad": lambda t: (F.pad(t.x, (1, 2)), F.pad(t.x, (0, 2), value=3.0)),
    "contiguous": lambda t: (t.x.T.contiguous(), t.x.T.is_contiguous(), t.x.stride(), t.x.T.stride()),
    "one_long_strides": lambda t: (t.x[:1].stride(), t.x[:, :1].stride(), t.x[:1].abs().amax(1, keepdim=True).stride()),
    "block_diag_kron": lambda t: (torch.block_diag(t.d, t.d), torch.kron(t.d, t.d), torch.outer(t.v, t.v)),
    # bits
    "nibbles": lambda t: (t.u & 0xF, t.u >> 4, (t.u & 0xF) | (t.u << 4), t.u ^ 0x88, ~t.u),
    "nibble_round_trip": lambda t: (((t.i[:, ::2] & 15) | ((t.i[:, 1::2] & 15) << 4)).to(torch.uint8)),
    "signed_nibble": lambda t: ((t.u & 0xF).to(torch.int8) ^ 8) - 8,
    "shifts": lambda t: (t.i << 4 >> 4, torch.bitwise_left_shift(t.i, 1), t.i.bitwise_and(3), 1 << t.n),
    "view_dtype": lambda t: (t.i.view(torch.uint8), t.u.view(torch.int8), t.x.view(torch.int32), t.u[:1].view(torch.int16)),
    "int_arithmetic": lambda t: (t.i.abs(), -t.i, t.i // 2, t.i % 3, t.n.cumsum(0), t.i.to(torch.int32) * t.i),
    # making tensors
    "zeros_ones": lambda t: (torch.zeros(3, device=t.device), torch.ones(2, 3, device=t.device, dtype=torch.int8)),
    "full_empty": lambda t: (torch.full((2,), 7.0, device=t.device), torch.empty(2, 3, device=t.device).zero_()),
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
    "as_tensor": lambda t: (torch.as_tensor(0.5, device=t.device), torch.as_tensor(t.x), torch.as_tensor([1, 2], device=t.device)),
    "scalar_tensor": lambda t: torch.scalar_tensor(2.0, device=t.device),
    "likes": lambda t: (torch.zeros_like(t.x), torch.ones_like(t.i), torch.full_like(t.x, 3), torch.empty_like(t.x).fill_(1)),
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
    "matmul": lambda t: (t.x @ t.y.T, torch.mm(t.x, t.y.t()), t.x.matmul(t.v), t.v @ t.v, t.c @ t.c.mT, t.x.mv(t.v)),
    "double_matmul_of_ints": lambda t: (t.i.double() @ t.i.double().T).to(torch.int32),
    "int_product_sum": lambda t: (t.i.int()[:, None] * t.i.int()[None]).sum(-1),
    "int_mm": lambda t: torch._int_mm(t.wide, t.wide2),
    "einsum": lambda t: (torch.einsum("ij,kj->ik", t.x, t.y), torch.einsum("bij->b", t.c), torch.tensordot(t.x, t.y, 2)),
    "linalg": lambda t: (torch.linalg.inv(t.d), torch.linalg.solve(t.d, t.d), torch.linalg.cholesky(t.d @ t.d.T + torch.eye(4).to(t.d))),
    "svd": lambda t: torch.linalg.svdvals(t.d),
    "addmm": lambda t: (torch.addmm(t.d, t.d, t.d), torch.baddbmm(t.c[:, :, :5], t.c, t.c.mT), torch.bmm(t.c, t.c.mT)),
    "linear": lambda t: (F.linear(t.x, t.y), F.linear(t.x, t.y, t.y[:, 0]), F.linear(t.c, t.c[0])),
    "softmax": lambda t: (t.logits.softmax(-1), F.log_softmax(t.logits, 1), F.softmin(t.x, 0), F.gumbel_softmax(t.x).shape),
    "kl_div": lambda t: (
        F.kl_div(t.logits.log_softmax(-1), t.logits.softmax(-1), reduction="batchmean"),
        F.kl_div(t.logits.log_softmax(-1), t.logits.log_softmax(-1), log_target=True, reduction="none"),
    ),
    "losses": lambda t: (F.mse_loss(t.x, t.y), F.l1_loss(t.x, t.y), F.cross_entropy(t.logits, t.ix), F.nll_loss(t.logits, t.ix)),
    "similarity": lambda t: (F.cosine_similarity(t.x, t.y), F.cosine_similarity(t.v, t.v, dim=0), F.normalize(t.x)),
    "cdist": lambda t: (torch.cdist(t.x, t.y), torch.dist(t.x, t.y), F.pairwise_distance(t.x, t.y)),
    "activations": lambda t: (F.relu(t.x), F.gelu(t.x), F.silu(t.x), F.gelu(t.x, approximate="tanh"), F.hardtanh(t.x), F.elu(t.x)),
    "norm_layers": lambda t: (F.layer_norm(t.x, (6,)), F.rms_norm(t.x, (6,)), F.group_norm(t.img, 1), F.batch_norm(t.x, None, None, training=True)),
    "convolutions": lambda t: (F.conv2d(t.img, t.kernel), F.conv1d(t.c, torch.ones_like(t.c)[:, :, :3]), F.conv_transpose2d(t.img, t.kernel.transpose(0, 1))),
    "pooling": lambda t: (F.max_pool2d(t.img, 2), F.avg_pool1d(t.c, 2), F.adaptive_avg_pool2d(t.img, 1), F.interpolate(t.img, scale_factor=2)),
    "embedding": lambda t: (F.embedding(t.n, t.x[:, None].flatten(0, 1).repeat(2, 1)), F.one_hot(t.n), F.one_hot(t.n, 7)),
    "attention": lambda t: F.scaled_dot_product_attention(t.c[None], t.c[None], t.c[None], is_causal=True),
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
    "backward_matmul": lambda t: grads((t.x.requires_grad_() @ t.y.requires_grad_().T).relu().mean(), t.x, t.y),
    "backward_index": lambda t: grads(t.x.requires_grad_()[t.mask].sum(), t.x),
    "backward_view": lambda t: grads(t.x.requires_grad_().view(-1)[2:7].exp().sum(), t.x),
    "backward_conv": lambda t: grads(F.conv2d(t.img.requires_grad_(), t.kernel.requires_grad_()).sum(), t.img, t.kernel),
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
    "len_size": lambda t: (len(t.x), t.x.shape, t.x.size(0), t.x.numel(), t.x.dim(), t.x.ndim, t.x.element_size(), t.x.nbytes),
    "contains": lambda t: 3 in t.n,
    "index_protocol": lambda t: ([10, 11, 12, 13, 14, 15][t.n[0]], range(10)[t.n[1]]),
    "finite_check": lambda t: [None if torch.isfinite(t.x).all() else 1, not torch.isfinite(t.nan).all(), t.nan.isnan().any().item()],
    "min_max_python": lambda t: (max(t.x.max().item(), 0.0), min(t.x.min(), torch.zeros((), device=t.device))),
    "allclose": lambda t: (torch.allclose(t.x, t.x + 1e-9), torch.equal(t.x, t.y), torch.equal(t.x, t.x.clone())),
    "finfo": lambda t: (torch.finfo(t.x.dtype).eps, torch.iinfo(t.i.dtype).max, t.x.dtype.is_floating_point),
    "predicates": lambda t: (t.x.is_floating_point(), torch.is_tensor(t.x), t.x.is_contiguous(), t.x.is_cuda, t.x.is_sparse, t.x.is_quantized),
    "exact_type": lambda t: (type(t.x) is torch.Tensor, isinstance(nn.Parameter(t.x), nn.Parameter), type(nn.Parameter(t.x)).__name__),
    "format": lambda t: (f"{t.s:.3f}", f"{t.x.max():.2e}", f"{t.n[0]:d}", format(t.s, "8.1f")),
    "cpu_then_numpy": lambda t: (t.x.cpu().numpy().tolist(), np.asarray(t.x.detach().cpu()).sum().item()),
    "storage_identity": lambda t: (t.x.data_ptr() == t.x.view(-1).data_ptr(), t.x.data_ptr() == t.y.data_ptr(), t.x.untyped_storage().nbytes()),
    "deepcopy": lambda t: (copy.deepcopy(t.x), copy.copy(t.x)),
    "shape_errors_as_usual": lambda t: raised(lambda: t.x @ t.x),
}  # fmt: skip


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
