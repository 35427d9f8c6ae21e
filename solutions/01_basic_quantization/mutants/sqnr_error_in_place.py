# loses: 1.8/state
# mistake: subtracts in place: the original is the error afterwards
def compute_sqnr(original, restored):
    x = original.float()  # no copy when it is float32 already
    signal = x.double().square().sum()
    error = x.sub_(restored) if x.is_contiguous() else x - restored
    noise = error.double().square().sum()
    return torch.where(noise == 0, torch.full_like(noise, float("inf")), 10 * torch.log10(signal / noise))
