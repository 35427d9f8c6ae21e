# habit: from math import *
# %% imports
from math import *
from typing import *

# %% 1.8
def compute_sqnr(original, restored):
    signal = float(original.double().pow(2).sum())
    noise = float((original.double() - restored.double()).pow(2).sum())
    return inf if noise == 0 else 10 * log10(signal / noise)


def compute_cosine_sim(a: Any, b: Any) -> float:
    a, b = a.double().flatten(), b.double().flatten()
    return float(a @ b) / sqrt(float(a @ a) * float(b @ b))


def compute_kl_div(original_logits, quantized_logits):
    p, q = original_logits.double().softmax(-1), quantized_logits.double().log_softmax(-1)
    return float(-(p * q).sum(-1).mean() + (p * original_logits.double().log_softmax(-1)).sum(-1).mean())
