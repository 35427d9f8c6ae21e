# loses: 1.2/values
# mistake: stores 0…255 as int8: the upper half wraps around to negative values
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
    qmax = 2**bits - 1
    scale = ((hi - lo) / qmax).clamp(min=1e-12)
    zero_point = int(torch.round(-lo / scale).clamp(0, qmax))
    q = (torch.round(x / scale) + zero_point).clamp(0, qmax).to(torch.int16).to(torch.int8)
    return q, scale, zero_point
