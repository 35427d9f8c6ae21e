# loses: 1.1/inputs 1.1/state
# mistake: scales the caller's own tensor with in-place operations
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()  # no copy when it is float32 already
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    q = x.div_(scale).round_().clamp_(-qmax, qmax).to(torch.int8)
    return q, scale
