# loses: 1.5/inputs
# mistake: puts the axis in front and flattens the rest with view, which a transposed weight refuses
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    dims = [d for d in range(x.dim()) if d != axis % x.dim()]
    front = x.transpose(0, axis) if axis % x.dim() else x
    rows = (front.contiguous() if axis % x.dim() else front).view(front.shape[0], -1)
    scale = (rows.abs().amax(dim=1) / qmax).clamp(min=1e-12)
    scale = scale.view([-1 if d == axis % x.dim() else 1 for d in range(x.dim())])
    return torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8), scale
