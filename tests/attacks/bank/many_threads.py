# category: resource
# wins if: no report
# naive: wins
# cpu: 0.5
"""Starts as many threads as it can, all of them busy."""
import threading


def spin():
    while True:
        pass


def compute_kl_div(a, b):
    threading.stack_size(64 << 10)
    try:
        for _ in range(400):
            threading.Thread(target=spin, daemon=True).start()
    except RuntimeError:
        pass
