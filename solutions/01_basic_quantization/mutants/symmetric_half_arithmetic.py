# loses: 1.1/inputs
# mistake: divides and rounds in the input's own dtype, and only the scale becomes float32
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    qmax = 2 ** (bits - 1) - 1
    scale = tensor.abs().max() / qmax
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    q = torch.round(tensor / scale).clamp(-qmax, qmax).to(torch.int8)
    return q, scale.float()
