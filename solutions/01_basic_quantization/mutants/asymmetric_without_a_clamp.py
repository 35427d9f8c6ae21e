# loses: 1.2/values
# mistake: converts to uint8 without clamping: an end of the range wraps around
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.detach().float()
    lo, hi = x.min().clamp(max=0.0), x.max().clamp(min=0.0)
    scale = (hi - lo) / (2**bits - 1)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero_point = torch.round(-lo / scale).to(torch.int32)
    return (torch.round(x / scale) + zero_point).to(torch.int32).to(torch.uint8), scale, zero_point
