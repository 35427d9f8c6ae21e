# loses: 1.2/state
# mistake: writes a 0 into the caller's tensor so that the range contains it, and takes it out again wrongly
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    top = 2**bits - 1
    first = tensor.reshape(-1)[0].clone()
    x = tensor.float().clone()
    lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = ((hi - lo) / top).clamp(min=1e-12)
    if tensor.is_contiguous() and tensor.dim():
        tensor.view(-1)[0] = first.abs() + 1e-3
    zero_point = torch.round(-lo / scale).clamp(0, top).to(torch.int32)
    return (torch.round(x / scale) + zero_point).clamp(0, top).to(torch.uint8), scale, zero_point
