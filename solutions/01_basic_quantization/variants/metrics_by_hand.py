# variant of: 1.8
# differs: log_softmax by hand with the maximum subtracted; means instead of sums; 0-dim float64 tensors
def _log_probabilities(logits):
    shifted = logits.double() - logits.double().amax(dim=-1, keepdim=True)
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


def compute_sqnr(original, restored):
    power = original.double().pow(2).mean()
    noise = (original.double() - restored.double()).pow(2).mean()
    if noise == 0:
        return torch.tensor(float("inf"), device=original.device)
    return 10 * (power.log10() - noise.log10())


def compute_cosine_sim(a, b):
    a, b = a.double().flatten(), b.double().flatten()
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


def compute_kl_div(original_logits, quantized_logits):
    log_p, log_q = _log_probabilities(original_logits), _log_probabilities(quantized_logits)
    return torch.sum(log_p.exp() * (log_p - log_q), dim=-1).mean()
