# loses: 3.1/inputs
# mistake: a Python loop over the tokens
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    x = x.float()
    top = 2 ** (bits - 1) - 1
    if granularity == "per_tensor":
        scale = (x.abs().max() / top).clamp(min=1e-12)
        return torch.round(x / scale).clamp(-top, top).to(torch.int8), scale
    codes, scales = [], []
    for token in x.reshape(-1, x.shape[-1]):
        scale = (token.abs().max() / top).clamp(min=1e-12)
        codes.append(torch.round(token / scale).clamp(-top, top).to(torch.int8))
        scales.append(scale)
    return torch.stack(codes).reshape(x.shape), torch.stack(scales).reshape(*x.shape[:-1], 1)
