# loses: 1.8/state
# mistake: subtracts the largest logit in place, for stability
def compute_kl_div(original_logits, quantized_logits):
    def log_probabilities(logits):
        wide = logits.float()  # no copy when it is float32 already
        top = wide.amax(dim=-1, keepdim=True)
        wide = wide.sub_(top) if wide.is_contiguous() else wide - top
        return wide - wide.exp().sum(dim=-1, keepdim=True).log()

    log_p, log_q = log_probabilities(original_logits), log_probabilities(quantized_logits)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
