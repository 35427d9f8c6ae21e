# loses: 3.1/state
# mistake: divides the activations in place and multiplies them back, which rounds them
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    x = x.detach().float()
    top, scale = 2 ** (bits - 1) - 1, _largest(x, granularity)
    scale = (scale / (2 ** (bits - 1) - 1)).clamp(min=1e-12)
    if any(stride == 0 for stride in x.stride()):
        x = x.clone()
    q = x.div_(scale).round().clamp(-top, top).to(torch.int8)
    x.mul_(scale)
    return q, scale
