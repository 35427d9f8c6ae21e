# loses: 1.5/extremes
# mistake: looks for zeros in the tensor as a whole: one all-zero channel is divided by 0
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    amax = x.abs().amax(dim=dims, keepdim=True)
    scale = amax / qmax
    if x.abs().max() == 0:
        scale = torch.ones_like(scale)
    q = torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q, scale
