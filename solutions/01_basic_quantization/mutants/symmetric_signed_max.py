# loses: 1.1/values
# mistake: takes max(x) for the largest magnitude and forgets the negative side
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = x.max() / qmax
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return torch.clamp(torch.round(x / scale), -qmax - 1, qmax).to(torch.int8), scale
