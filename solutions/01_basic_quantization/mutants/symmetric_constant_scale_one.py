# loses: 1.1/extremes
# mistake: guards max == min with a scale of 1: constant data loses its scale, not zeros alone
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    qmax = 2 ** (bits - 1) - 1
    x = tensor.float()
    if x.max() == x.min():
        scale = torch.ones((), device=x.device)
    else:
        scale = x.abs().max() / qmax
    return torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8), scale
