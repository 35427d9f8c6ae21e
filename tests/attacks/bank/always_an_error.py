# category: compare
# wins if: points
# naive: wins
"""Refuses everything: some tests are content with that."""
def answer(*args, **kwargs):
    raise ValueError("the data is empty, holds NaN, and bits is wrong")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
