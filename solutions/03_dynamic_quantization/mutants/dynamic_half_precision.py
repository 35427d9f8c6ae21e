# loses: 3.1/inputs
# mistake: computes in the dtype of the input
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    amax = x.abs().amax(dim=-1, keepdim=True) if granularity == "per_token" else x.abs().max()
    top = 2 ** (bits - 1) - 1
    scale = amax / top
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return torch.round(x / scale).clamp(-top, top).to(torch.int8), scale.float()
