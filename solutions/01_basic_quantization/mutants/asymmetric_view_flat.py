# loses: 1.2/inputs
# mistake: flattens with view, which a transposed tensor refuses
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    top = 2**bits - 1
    x = tensor.float()
    lo, hi = x.view(-1).min(dim=0).values.clamp(max=0), x.view(-1).max(dim=0).values.clamp(min=0)
    scale = ((hi - lo) / top).clamp(min=1e-12)
    zero_point = torch.round(-lo / scale).clamp(0, top).to(torch.int32)
    return (torch.round(x / scale) + zero_point).clamp(0, top).to(torch.uint8), scale, zero_point
