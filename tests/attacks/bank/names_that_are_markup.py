# category: payload
# wins if: markup
# naive: wins
"""Gives its classes and arguments names that are HTML and terminal codes."""
import torch


def answer(*args, **kwargs):
    name = "<script>ptqlab()</script>\x1b[31m"
    if len(args) > 1:
        raise type(name, (Exception,), {})(name)
    return type(name, (), {"__module__": name})(), {name: torch.zeros(2)}


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
