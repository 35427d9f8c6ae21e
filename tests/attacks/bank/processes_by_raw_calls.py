# category: resource
# wins if: process
# naive: wins
"""Forks by the kernel's own numbers, past os and libc: fork, and clone as a child of its parent's, and sleeps there."""
import ctypes
import os
import platform
import time

CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine(), -1)
FORK = {"x86_64": 57}.get(platform.machine(), -1)
CLONE_PARENT, SIGCHLD = 0x8000, 17


def answer(*args, **kwargs):
    libc = ctypes.PyDLL(None)
    for call in ((FORK,), (CLONE, SIGCHLD, 0, 0, 0, 0), (CLONE, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)):
        parent = os.getpid()
        if libc.syscall(*(ctypes.c_long(part) for part in call)) == 0 and os.getpid() != parent:
            os.setsid()
            time.sleep(60)
            os._exit(0)
    return None


symmetric_quantization = compute_kl_div = answer
