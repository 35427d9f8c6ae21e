# loses: 1.8/values
# mistake: KL(quantized ‖ original): the two are swapped
def compute_kl_div(original_logits, quantized_logits):
    log_p = original_logits.float().log_softmax(-1)
    log_q = quantized_logits.float().log_softmax(-1)
    return (log_q.exp() * (log_q - log_p)).sum(-1).mean()
