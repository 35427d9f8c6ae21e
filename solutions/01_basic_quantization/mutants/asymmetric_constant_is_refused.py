# loses: 1.2/extremes
# mistake: takes all-zero data for an error instead of giving it a scale
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
    if lo == hi:
        raise ValueError("the data has no range")
    qmax = 2**bits - 1
    scale = (hi - lo) / qmax
    zero_point = int(torch.round(-lo / scale))
    q = (torch.round(x / scale) + zero_point).clamp(0, qmax).to(torch.uint8)
    return q, scale, zero_point
