# loses: 1.5/values
# mistake: flattens to [C, rest] with axis in front: right for axis 0 only
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    amax = x.abs().reshape(x.shape[axis], -1).amax(dim=1)
    amax = amax.reshape([-1 if d == axis % x.dim() else 1 for d in range(x.dim())])
    scale = (amax / qmax).clamp(min=1e-12)
    q = torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q, scale
