# loses: 1.8/values
# mistake: log2: the result is in bits, not in nats
import math


def compute_kl_div(original_logits, quantized_logits):
    log_p = original_logits.float().log_softmax(-1)
    log_q = quantized_logits.float().log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean() / math.log(2)
