# variant of: 1.8
# differs: Python floats through math, norms, and F.kl_div with a log target
import math

import torch.nn.functional as F


def compute_sqnr(original, restored):
    x, error = original.double(), original.double() - restored.double()
    noise = error.norm().item()
    return math.inf if noise == 0 else 20 * math.log10(x.norm().item() / noise)


def compute_cosine_sim(a, b):
    a, b = a.float().reshape(-1), b.float().reshape(-1)
    return (torch.dot(a, b) / (torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b))).item()


def compute_kl_div(original_logits, quantized_logits):
    rows = original_logits.shape[-1]
    log_p = F.log_softmax(original_logits.float().reshape(-1, rows), dim=-1)
    log_q = F.log_softmax(quantized_logits.float().reshape(-1, rows), dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True).item()
