# loses: 1.1/errors
# mistake: checks bits with assert: the wrong exception
def symmetric_quantization(tensor, bits=8):
    assert isinstance(bits, int) and 2 <= bits <= 8, "bits must be 2 to 8"
    require_finite(tensor)
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8), scale
