# loses: 1.8/values
# mistake: log(softmax + 1e-10): probabilities that underflow meet a floor
def compute_kl_div(original_logits, quantized_logits):
    p = torch.softmax(original_logits.float(), dim=-1)
    q = torch.softmax(quantized_logits.float(), dim=-1)
    return (p * ((p + 1e-10).log() - (q + 1e-10).log())).sum(-1).mean()
