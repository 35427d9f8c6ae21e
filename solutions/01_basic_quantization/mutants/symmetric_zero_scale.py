# loses: 1.1/extremes
# mistake: divides by a scale of 0 when all data is zero
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = x.abs().max() / qmax
    return torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8), scale
