# loses: 1.1/values
# mistake: divides by 2^(b−1), which is no level: 128 instead of 127
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    n = 2 ** (bits - 1)
    scale = x.abs().max() / n
    if scale == 0:
        scale = torch.ones_like(scale)
    q = torch.clamp(torch.round(x / scale), -n, n - 1).to(torch.int8)
    return q, scale
