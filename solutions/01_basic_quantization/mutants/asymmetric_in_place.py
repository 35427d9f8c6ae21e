# loses: 1.2/inputs 1.2/state
# mistake: shifts and clamps the caller's own tensor
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    top = 2**bits - 1
    x = tensor.float()  # no copy when it is float32 already
    lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = ((hi - lo) / top).clamp(min=1e-12)
    zero_point = torch.round(-lo / scale).clamp(0, top).to(torch.int32)
    return x.div_(scale).round_().add_(zero_point).clamp_(0, top).to(torch.uint8), scale, zero_point
