# loses: 1.8/extremes
# mistake: adds an epsilon against division by zero: equal tensors get a finite ratio
def compute_sqnr(original, restored):
    x, noise = original.float(), original.float() - restored.float()
    return 10 * torch.log10((x**2).sum() / ((noise**2).sum() + 1e-12))
