# loses: 4.4/values
# mistake: the logarithm of a softmax with an epsilon: large logits underflow
def compute_kl_div(original_logits, quantized_logits):
    p, q = original_logits.float().softmax(dim=-1), quantized_logits.float().softmax(dim=-1)
    return (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(dim=-1).mean()
