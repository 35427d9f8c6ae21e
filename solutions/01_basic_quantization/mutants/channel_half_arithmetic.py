# loses: 1.5/inputs
# mistake: computes in the input's dtype and converts the scale at the end
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    amax = x.abs().amax(dim=dims, keepdim=True)
    scale = (amax / qmax).clamp(min=1e-7)
    q = torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q, scale.float()
