# loses: 1.1/values
# mistake: returns the scale as a Python float
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = x.abs().max().item() / qmax or 1.0
    return torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8), scale
