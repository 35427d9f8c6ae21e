# loses: 1.8/values
# mistake: hands the quantized logits to kl_div as if they were log-probabilities
import torch.nn.functional as F


def compute_kl_div(original_logits, quantized_logits):
    p = torch.softmax(original_logits.float(), dim=-1).flatten(0, -2)
    return F.kl_div(quantized_logits.float().flatten(0, -2), p, reduction="batchmean")
