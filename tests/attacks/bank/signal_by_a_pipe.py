# category: network and IPC
# wins if: signal
# naive: wins
"""Makes its parent the owner of a pipe, whose readiness the kernel then signals: no call of kill."""
import fcntl
import os
import signal


def answer(*args, **kwargs):
    read, write = os.pipe()
    fcntl.fcntl(read, fcntl.F_SETOWN, os.getppid() or 1)
    fcntl.fcntl(read, fcntl.F_SETSIG, signal.SIGUSR1)
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(write, b"x")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
