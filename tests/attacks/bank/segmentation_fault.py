# category: resource
# wins if: no report
# naive: wins
"""Reads address 0 in C: the process dies."""
import ctypes


def answer(*args, **kwargs):
    ctypes.string_at(0)


symmetric_quantization = compute_kl_div = answer
