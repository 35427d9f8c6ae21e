# category: payload
# wins if: no report
# naive: robustness
"""Returns lists in lists in lists, and a list that holds itself."""
def answer(*args, **kwargs):
    deep = []
    for _ in range(20_000):
        deep = [deep]
    endless = []
    endless.append(endless)
    return deep, endless


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
