# loses: 1.1/inputs
# mistake: returns the scale in float64 where the data is float64
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    qmax = 2 ** (bits - 1) - 1
    x = tensor if tensor.dtype is torch.float64 else tensor.float()
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8), scale
