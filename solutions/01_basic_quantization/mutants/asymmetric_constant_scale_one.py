# loses: 1.2/extremes
# mistake: guards hi == lo with a scale of 1 before the range is widened: constant data is no zeros
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    top = 2**bits - 1
    x = tensor.float()
    lo, hi = x.min(), x.max()
    same = hi == lo
    lo, hi = lo.clamp(max=0), hi.clamp(min=0)
    scale = torch.where(same, torch.ones_like(hi), (hi - lo) / top)
    zero_point = torch.round(-lo / scale).clamp(0, top).to(torch.int32)
    return (torch.round(x / scale) + zero_point).clamp(0, top).to(torch.uint8), scale, zero_point
