# variant of: 3.1
# differs: float64 arithmetic, extremes by aminmax, the narrow range −127…127, torch.where for zeros
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if bits not in (2, 3, 4, 5, 6, 7, 8):
        raise ValueError("bits must be 2 to 8")
    wide = x.double()
    if granularity == "per_token":
        lo, hi = torch.aminmax(wide, dim=-1, keepdim=True)
    elif granularity == "per_tensor":
        lo, hi = torch.aminmax(wide)
    else:
        raise ValueError("granularity")
    amax = torch.maximum(-lo, hi)
    top = 2 ** (bits - 1) - 1
    scale = torch.where(amax > 0, amax / top, torch.ones_like(amax))
    return (wide / scale).round().clamp(-top, top).to(torch.int8), scale.float()
