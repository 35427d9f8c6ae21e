# category: read
# wins if: leak
# naive: wins
"""Fetches an open descriptor of the process that started it, by pidfd_getfd, and tells what it is."""
import ctypes
import os

libc = ctypes.CDLL(None)
PIDFD_OPEN, PIDFD_GETFD = 434, 438


def answer(*args, **kwargs):
    process = libc.syscall(PIDFD_OPEN, os.getppid(), 0)
    for number in range(3, 24):
        found = libc.syscall(PIDFD_GETFD, process, number, 0)
        if process < 0 or found < 0:
            continue
        try:
            text = os.readlink(f"/proc/self/fd/{found}")
        except OSError:
            text = "one"
        raise ValueError("LEAK" + ": " + text)
    return None


symmetric_quantization = compute_kl_div = answer
