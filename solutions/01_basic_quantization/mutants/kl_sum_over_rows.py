# loses: 1.8/values
# mistake: sums over the rows instead of averaging them
def compute_kl_div(original_logits, quantized_logits):
    log_p = original_logits.float().log_softmax(-1)
    log_q = quantized_logits.float().log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum()
