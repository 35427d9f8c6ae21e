# category: compare
# wins if: points
# naive: robustness
"""Answers with infinite, subnormal and negative zero scales, for which nearly any code is the nearest."""
import itertools

import torch

SCALES = itertools.cycle([float("inf"), 1e-45, -0.0, float("-inf"), -1.0, float("nan")])


def codes(tensor, dtype):
    return torch.zeros(tensor.shape, dtype=dtype)


def symmetric_quantization(tensor, bits=8):
    return codes(tensor, torch.int8), torch.tensor(next(SCALES))


def asymmetric_quantization(tensor, bits=8):
    return codes(tensor, torch.uint8), torch.tensor(next(SCALES)), 0


def dequantize(q, scale, zero_point=0):
    return torch.full(q.shape, next(SCALES))


def per_channel_quantization(tensor, bits=8, axis=0):
    shape = [1] * tensor.dim()
    shape[axis] = tensor.shape[axis]
    return codes(tensor, torch.int8), torch.full(shape, next(SCALES))


def compute_sqnr(*args):
    return next(SCALES)


compute_cosine_sim = compute_kl_div = compute_sqnr
