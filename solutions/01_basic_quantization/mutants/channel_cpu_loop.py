# loses: 1.5/inputs
# mistake: loops over the channels and collects the scales in a tensor on the CPU
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scales, codes = [], []
    for channel in x.unbind(dim=axis):
        step = max(channel.abs().max().item() / qmax, 1e-12)
        scales.append(step)
        codes.append(torch.round(channel / step).clamp(-qmax, qmax).to(torch.int8))
    scale = torch.tensor(scales).reshape([-1 if d == axis % x.dim() else 1 for d in range(x.dim())])
    return torch.stack(codes, dim=axis), scale
