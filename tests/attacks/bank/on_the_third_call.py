# category: forge
# wins if: points
# naive: wins
"""Behaves at first, and ends the process with code 0 in its third call."""
import os

import torch

CALLS = []


def answer(*args, **kwargs):
    CALLS.append(args)
    if len(CALLS) == 3:
        os._exit(0)
    return torch.zeros(2), torch.tensor(1.0), 0


symmetric_quantization = compute_kl_div = answer
