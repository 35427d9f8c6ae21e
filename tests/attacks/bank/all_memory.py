# category: resource
# wins if: no report
# naive: robustness
"""Takes all the memory it can get, and keeps it."""
import torch

KEPT = []


def answer(*args, **kwargs):
    try:
        while True:
            KEPT.append(torch.zeros(1 << 22))
    except RuntimeError:
        KEPT.append(None)
    return KEPT


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
