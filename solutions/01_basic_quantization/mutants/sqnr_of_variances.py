# loses: 1.8/values
# mistake: variances instead of powers: the mean of the signal does not count
def compute_sqnr(original, restored):
    x, noise = original.float(), original.float() - restored.float()
    if not noise.any():
        return float("inf")
    return 10 * torch.log10(x.var() / noise.var())
