# loses: 1.8/values
# mistake: reduction='batchmean' on three-dimensional logits: divides by the first dimension only
import torch.nn.functional as F


def compute_kl_div(original_logits, quantized_logits):
    log_q = F.log_softmax(quantized_logits.float(), dim=-1)
    return F.kl_div(log_q, F.softmax(original_logits.float(), dim=-1), reduction="batchmean")
