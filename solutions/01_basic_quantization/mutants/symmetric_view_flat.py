# loses: 1.1/inputs
# mistake: flattens with view, which a transposed tensor refuses
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    qmax = 2 ** (bits - 1) - 1
    flat = tensor.float().view(-1)
    scale = (torch.linalg.vector_norm(flat, ord=float("inf")) / qmax).clamp(min=1e-12)
    q = torch.round(flat / scale).clamp(-qmax, qmax).to(torch.int8)
    return q.view(tensor.shape), scale
