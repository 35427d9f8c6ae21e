# loses: 1.2/inputs
# mistake: subtracts hi − lo in the input's dtype: float16 loses digits and overflows
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    lo, hi = tensor.min().clamp(max=0), tensor.max().clamp(min=0)
    qmax = 2**bits - 1
    scale = ((hi - lo).float() / qmax).clamp(min=1e-12)
    zero_point = int(torch.round(-lo.float() / scale).clamp(0, qmax))
    q = (torch.round(tensor.float() / scale) + zero_point).clamp(0, qmax).to(torch.uint8)
    return q, scale, zero_point
