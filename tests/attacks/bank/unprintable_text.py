# category: payload
# wins if: no report
# naive: wins
"""Raises errors whose text no encoding holds: lone surrogates, NUL, a megabyte of it."""
def answer(*args, **kwargs):
    raise ValueError("\ud800\udfff\x00\x1a" + "\u202e" * 1_000_000)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer

raise ValueError("\ud800 at import")
