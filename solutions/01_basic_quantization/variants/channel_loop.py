# variant of: 1.5
# differs: a loop over the channels, whose parts are stacked again
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    codes, scales = [], []
    for channel in tensor.float().unbind(dim=axis):
        amax = channel.abs().max()
        step = torch.where(amax > 0, amax / (2 ** (bits - 1) - 1), torch.ones_like(amax))
        codes.append(torch.round(channel / step).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
        scales.append(step)
    shape = [1] * tensor.dim()
    shape[axis] = len(scales)
    return torch.stack(codes, dim=axis).to(torch.int8), torch.stack(scales).reshape(shape)
