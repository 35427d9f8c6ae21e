# loses: 1.1/values
# mistake: rounds and clamps, but never converts to int8: nothing is compressed
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    q = torch.clamp(torch.round(x / scale), -qmax - 1, qmax)
    return q, scale
