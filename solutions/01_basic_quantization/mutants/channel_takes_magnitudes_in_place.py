# loses: 1.5/state
# mistake: takes the magnitudes in place, having copied the weights first
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    copy = x.clone()
    if x.is_contiguous():
        x.abs_()
    amax = copy.abs().amax(dim=dims, keepdim=True) if dims else copy.abs()
    scale = (amax / qmax).clamp(min=1e-12)
    return torch.round(copy / scale).clamp(-qmax, qmax).to(torch.int8), scale
