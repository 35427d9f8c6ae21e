# category: resource
# wins if: no report
# naive: wins
"""Opens files until nobody in the process can open another."""
import os

OPEN = []


def answer(*args, **kwargs):
    try:
        while True:
            OPEN.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
