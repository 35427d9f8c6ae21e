# category: read
# wins if: leak
# naive: wins
"""Attaches to its parent as a debugger does, and may then read its memory."""
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def answer(*args, **kwargs):
    parent = os.getppid() or 1
    if libc.ptrace(0x4206, parent, 0, 0) == 0:  # PTRACE_SEIZE, which does not stop it
        raise ValueError("LE" + "AK: attached to " + str(parent))
    raise ValueError("no tracing")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
