# category: resource
# wins if: no report
# naive: wins
"""Reads address 0 in C: the process dies."""
import ctypes


def answer(*args, **kwargs):
    ctypes.string_at(0)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
