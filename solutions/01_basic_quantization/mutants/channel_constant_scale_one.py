# loses: 1.5/extremes
# mistake: a channel whose largest value equals its smallest gets the scale 1
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    amax = x.abs().amax(dim=dims, keepdim=True) if dims else x.abs()
    if dims:
        same = x.amax(dim=dims, keepdim=True) == x.amin(dim=dims, keepdim=True)
    else:
        same = amax == 0
    scale = torch.where(same, torch.ones_like(amax), amax / qmax)
    return torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8), scale
