# variant of: 1.2
# differs: adds the rounded zero point before rounding, which differs at ties only
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x, top = tensor.float(), 2**bits - 1
    lo = torch.clamp(x.min(), max=0)
    hi = torch.clamp(x.max(), min=0)
    scale = (hi - lo) / top
    scale = scale.masked_fill(scale == 0, 1.0)
    zero_point = int(torch.clamp(torch.round(-lo / scale), 0, top).item())
    return torch.clamp(torch.round(x / scale + zero_point), 0, top).to(torch.uint8), scale, zero_point
