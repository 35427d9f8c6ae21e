# loses: 1.5/values
# mistake: takes axis for the one that is reduced, as torch's dim is
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    amax = x.abs().amax(dim=axis, keepdim=True)
    scale = (amax / qmax).clamp(min=1e-12)
    q = torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q, scale
