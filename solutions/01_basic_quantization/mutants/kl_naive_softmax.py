# loses: 1.8/values
# mistake: exponentiates the logits as they are: large ones overflow
def compute_kl_div(original_logits, quantized_logits):
    p, q = original_logits.float().exp(), quantized_logits.float().exp()
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    return (p * (p / q).log()).sum(-1).mean()
