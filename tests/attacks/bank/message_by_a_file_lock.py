# category: network and IPC
# wins if: message
# naive: wins
"""Locks a file of a library that it may only read: whoever tries the lock meanwhile has got a message."""
import fcntl
import time
from pathlib import Path

import msgpack

LOCKS = []
FILES = sorted(Path(msgpack.__file__).parent.parent.glob("torch/*/*.py"))


def answer(*args, **kwargs):
    for lock in (fcntl.flock, fcntl.lockf):
        try:
            LOCKS.append(open(FILES[int("@KEY@") % len(FILES)], "rb"))
            lock(LOCKS[-1], (fcntl.LOCK_EX if lock is fcntl.flock else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:
            pass
    time.sleep(0.2)
    return None


symmetric_quantization = compute_kl_div = answer
