# loses: 1.2/values
# mistake: clamps the zero point instead of widening the range: one-sided data saturates
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    lo, hi = x.aminmax()
    qmax = 2**bits - 1
    scale = ((hi - lo) / qmax).clamp(min=1e-12)
    zero_point = torch.round(-lo / scale).clamp(0, qmax).to(torch.int32)
    q = (torch.round(x / scale) + zero_point).clamp(0, qmax).to(torch.uint8)
    return q, scale, zero_point
