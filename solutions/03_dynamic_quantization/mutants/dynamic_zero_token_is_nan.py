# loses: 3.1/extremes
# mistake: a token of zeros has the scale 0
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    x = x.float()
    amax = x.abs().amax(dim=-1, keepdim=True) if granularity == "per_token" else x.abs().max()
    top = 2 ** (bits - 1) - 1
    scale = amax / top
    return torch.round(x / scale).clamp(-top, top).to(torch.int8), scale
