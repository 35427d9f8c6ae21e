# category: network and IPC
# wins if: message
# naive: wins
"""Leaves a System V memory segment for the next student, who knows its number."""
import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def answer(*args, **kwargs):
    libc.shmget(int("@KEY@"), 4096, 0o1666)
    libc.msgget(int("@KEY@"), 0o1666)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
