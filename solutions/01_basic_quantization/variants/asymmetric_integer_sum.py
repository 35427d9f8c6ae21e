# variant of: 1.2
# differs: float64; rounds to int64, adds an int64 zero point there, and saturates the integers
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.to(torch.float64)
    lo, hi = x.min().clamp(max=0.0), x.max().clamp(min=0.0)
    scale = (hi - lo) / (2**bits - 1)
    scale = scale + (scale == 0)
    zero_point = (-lo / scale).round().long()
    q = ((x / scale).round().long() + zero_point).clamp(0, 2**bits - 1)
    return [q.to(torch.uint8), scale.float(), zero_point]
