# loses: 1.5/values
# mistake: returns the scale without its dimensions of length 1
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    amax = x.abs().amax(dim=dims, keepdim=True)
    scale = (amax / qmax).clamp(min=1e-12)
    q = torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q, scale.flatten()
