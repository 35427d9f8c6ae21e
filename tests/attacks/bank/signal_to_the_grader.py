# category: network and IPC
# wins if: signal
# naive: wins
"""Sends its parent, and everybody else it finds, a signal."""
import os
import signal


def answer(*args, **kwargs):
    for pid in (os.getppid(), os.getpgrp()):
        if pid > 1:
            os.kill(pid, signal.SIGUSR1)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
