# loses: 3.1/extremes
# mistake: where all values are equal the scale is 1, as if only zeros could be
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    x = x.float()
    dims = {"dim": -1, "keepdim": True} if granularity == "per_token" else {}
    low, high = x.amin(**dims), x.amax(**dims)
    top = 2 ** (bits - 1) - 1
    scale = torch.where(low == high, torch.ones_like(low), torch.maximum(-low, high) / top)
    return torch.round(x / scale).clamp(-top, top).to(torch.int8), scale
