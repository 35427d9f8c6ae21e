# loses: 1.5/inputs 1.5/state
# mistake: divides the caller's weights by their scales in place
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    amax = x.abs().amax(dim=dims, keepdim=True) if dims else x.abs()
    scale = (amax / qmax).clamp(min=1e-12)
    return x.div_(scale).round_().clamp_(-qmax, qmax).to(torch.int8), scale
