# category: tell
# wins if: leak
# naive: wins
"""Remembers a test's inputs and tells them in the next test's call."""
import torch


def words(args, kwargs):
    first = args[0] if args else 0
    return "IN" + "PUT: " + str(first.flatten()[:3].tolist() if isinstance(first, torch.Tensor) else first)


SEEN = []


def answer(*args, **kwargs):
    SEEN.append(words(args, kwargs))
    raise KeyError(SEEN[0], SEEN[-1])


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
