# loses: 1.8/values
# mistake: 20·log10, which belongs to amplitudes, on a ratio of powers
def compute_sqnr(original, restored):
    x, noise = original.float(), original.float() - restored.float()
    if not noise.any():
        return float("inf")
    return 20 * torch.log10((x**2).mean() / (noise**2).mean())
