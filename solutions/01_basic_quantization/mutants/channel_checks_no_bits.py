# loses: 1.5/errors
# mistake: does not look at bits
def per_channel_quantization(tensor, bits=8, axis=0):
    require_finite(tensor)
    x = tensor.float().movedim(axis, 0)
    qmax = 2.0 ** (bits - 1) - 1
    scale = x.reshape(x.shape[0], -1).abs().amax(dim=1) / (qmax or 1.0)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    scale = scale.reshape([-1] + [1] * (x.dim() - 1))
    q = torch.round(x / scale).clamp(-128, 127).to(torch.int8)
    return q.movedim(0, axis), scale.movedim(0, axis)
