# loses: 1.1/inputs
# mistake: puts the bounds for clamping into a new tensor, which lives on the CPU
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    bounds = torch.full(x.shape, float(qmax))
    q = torch.minimum(torch.maximum(torch.round(x / scale), -bounds), bounds)
    return q.to(torch.int8), scale
