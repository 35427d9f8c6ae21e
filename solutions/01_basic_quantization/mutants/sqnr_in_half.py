# loses: 1.8/inputs
# mistake: squares in the input's dtype: float16 overflows at 256
def compute_sqnr(original, restored):
    noise = original - restored
    if not noise.any():
        return float("inf")
    return 10 * torch.log10((original**2).sum().float() / (noise**2).sum().float())
