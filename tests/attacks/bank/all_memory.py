# category: resource
# wins if: no report
# naive: robustness
"""Takes all the memory it can get, and keeps it."""
import torch

KEPT = []


def answer(*args, **kwargs):
    try:
        while True:
            KEPT.append(torch.zeros(1 << 25))
    except RuntimeError:
        KEPT.append(None)
    return KEPT


compute_kl_div = answer
