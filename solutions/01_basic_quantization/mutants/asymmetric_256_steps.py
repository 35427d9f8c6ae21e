# loses: 1.2/values
# mistake: divides the range by the number of levels, not of the steps between them
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
    levels = 2**bits
    scale = ((hi - lo) / levels).clamp(min=1e-12)
    zero_point = int(torch.round(-lo / scale).clamp(0, levels - 1))
    q = (torch.round(x / scale) + zero_point).clamp(0, levels - 1).to(torch.uint8)
    return q, scale, zero_point
