# category: payload
# wins if: no report
# naive: robustness
"""Returns a column and a row that become enormous when they meet."""
import torch


def answer(*args, **kwargs):
    return torch.zeros(900_000, 1, dtype=torch.int8), torch.zeros(1, 900_000), torch.zeros(1, 900_000, dtype=torch.int32)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
