# loses: 1.1/inputs
# mistake: a Python loop over the elements: one synchronisation each
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    step = float(scale)
    codes = [max(-qmax, min(qmax, round(float(value) / step))) for value in x.flatten()]
    return torch.tensor(codes, dtype=torch.int8, device=x.device).reshape(x.shape), scale
