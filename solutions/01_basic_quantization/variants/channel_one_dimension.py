# variant of: 1.5
# differs: reduces over the other dimensions, of which a tensor of one dimension has none: that gets a single scale
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    scale = (x.abs().amax(dim=dims, keepdim=True) / qmax).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8), scale
