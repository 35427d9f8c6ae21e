# category: payload
# wins if: no report
# naive: robustness
"""Returns integers with more digits than can be printed."""
def answer(*args, **kwargs):
    return (10**100_000, 16**1900, -(16**1999))


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
