# loses: 1.1/values
# mistake: lets the conversion to int8 cut the fraction off instead of rounding
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    q = (x / scale).clamp(-qmax, qmax).to(torch.int8)
    return q, scale
