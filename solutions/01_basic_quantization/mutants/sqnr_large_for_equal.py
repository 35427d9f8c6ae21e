# loses: 1.8/extremes
# mistake: gives 100 dB for equal tensors instead of infinity
def compute_sqnr(original, restored):
    x, error = original.double(), original.double() - restored.double()
    power = error.square().sum()
    return 100.0 if power == 0 else float(10 * torch.log10(x.square().sum() / power))
