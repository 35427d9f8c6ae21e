# loses: 3.1/inputs 3.1/state
# mistake: divides the activations themselves
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    x = x.float()
    amax = x.abs().amax(dim=-1, keepdim=True) if granularity == "per_token" else x.abs().max()
    top = 2 ** (bits - 1) - 1
    scale = (amax / top).clamp(min=1e-12)
    return x.div_(scale).round().clamp(-top, top).to(torch.int8), scale
