# loses: 3.1/values
# mistake: one scale for each text of the batch instead of each token
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    x = x.float()
    amax = x.abs().max()
    if granularity == "per_token" and x.dim() > 1:
        amax = x.abs().flatten(1).amax(dim=1).reshape([-1] + [1] * (x.dim() - 1))
    top = 2 ** (bits - 1) - 1
    scale = (amax / top).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-top, top).to(torch.int8), scale
