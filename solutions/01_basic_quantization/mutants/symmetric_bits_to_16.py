# loses: 1.1/errors
# mistake: allows 9 to 16 bits, which no int8 holds
def symmetric_quantization(tensor, bits=8):
    if not 2 <= bits <= 16:
        raise ValueError("bits must be between 2 and 16")
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (int(bits) - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8), scale
