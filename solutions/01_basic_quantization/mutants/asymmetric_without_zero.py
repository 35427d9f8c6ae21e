# loses: 1.2/values
# mistake: takes min and max as they are: 0 may lie outside the range
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    lo, hi = x.min(), x.max()
    qmax = 2**bits - 1
    scale = ((hi - lo) / qmax).clamp(min=1e-12)
    zero_point = int(torch.round(-lo / scale))
    q = (torch.round(x / scale) + zero_point).clamp(0, qmax).to(torch.uint8)
    return q, scale, zero_point
