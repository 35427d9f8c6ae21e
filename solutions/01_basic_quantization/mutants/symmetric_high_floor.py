# loses: 1.1/inputs
# mistake: guards against zero with a floor of 1e-5 on the scale, which ordinary small weights reach
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-5)
    return torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8), scale
