# loses: 1.5/errors
# mistake: looks for NaN in the sum alone: +inf and −inf of two channels pass, and empty data
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    if torch.isnan(tensor.float().sum()):
        raise ValueError("NaN in the weights")
    x = tensor.float().movedim(axis, 0)
    qmax = 2 ** (bits - 1) - 1
    scale = (x.reshape(x.shape[0], -1).abs().amax(dim=1) / qmax).clamp(min=1e-12)
    scale = scale.reshape([-1] + [1] * (x.dim() - 1))
    q = torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8)
    return q.movedim(0, axis), scale.movedim(0, axis)
