# category: resource
# wins if: process
# naive: wins
"""Forks processes that outlive the grading."""
import os
import time


def answer(*args, **kwargs):
    for _ in range(4):
        if os.fork() == 0:
            os.setsid()
            time.sleep(30)
            os._exit(0)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
