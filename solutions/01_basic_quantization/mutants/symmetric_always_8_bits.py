# loses: 1.1/values
# mistake: checks bits and then uses 127 whatever it is
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    scale = (x.abs().max() / 127).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-128, 127).to(torch.int8), scale
