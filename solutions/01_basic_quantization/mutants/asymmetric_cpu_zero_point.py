# loses: 1.2/inputs
# mistake: makes the zero point with torch.tensor(…), on the CPU wherever the data is
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    lo, hi = min(x.min().item(), 0.0), max(x.max().item(), 0.0)
    qmax = 2**bits - 1
    scale = torch.tensor((hi - lo) / qmax or 1.0)
    zero_point = torch.tensor(round(-lo / scale.item()))
    q = (torch.round(x / scale) + zero_point).clamp(0, qmax).to(torch.uint8)
    return q, scale, zero_point
