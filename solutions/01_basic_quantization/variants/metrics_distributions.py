# variant of: 1.8
# differs: torch.distributions for KL, and the built-in cosine similarity of one long row
from torch.distributions import Categorical, kl_divergence


def compute_sqnr(original, restored):
    error = original.float() - restored.float()
    if torch.equal(original, restored):
        return float("inf")
    return float(10.0 * torch.log10(torch.sum(original.float() ** 2) / torch.sum(error**2)))


def compute_cosine_sim(a, b):
    return torch.cosine_similarity(a.float().reshape(1, -1), b.float().reshape(1, -1))[0]


def compute_kl_div(original_logits, quantized_logits):
    p, q = Categorical(logits=original_logits.float()), Categorical(logits=quantized_logits.float())
    return kl_divergence(p, q).mean()
