# loses: 3.1/errors
# mistake: the number of bits is not checked
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    x = x.float()
    amax = x.abs().amax(dim=-1, keepdim=True) if granularity == "per_token" else x.abs().max()
    top = int(2 ** (bits - 1)) - 1 or 1
    scale = (amax / top).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-top, top).to(torch.int8), scale
