# loses: 1.1/inputs
# mistake: computes the scale in float32, but x / scale stays float16: a 0-dim scale does not promote
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    qmax = 2 ** (bits - 1) - 1
    scale = (tensor.abs().max().float() / qmax).clamp(min=1e-12)
    return torch.round(tensor / scale).clamp(-qmax, qmax).to(torch.int8), scale
