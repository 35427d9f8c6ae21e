# variant of: 1.1
# differs: float64 arithmetic, aminmax, the narrow range −127…127, torch.where for zeros
def symmetric_quantization(tensor, bits=8):
    if bits not in (2, 3, 4, 5, 6, 7, 8):
        raise ValueError(f"unsupported number of bits: {bits}")
    if tensor.numel() == 0:
        raise ValueError("nothing to quantize")
    x = tensor.double()
    lo, hi = torch.aminmax(x)
    amax = torch.maximum(-lo, hi)
    if not torch.isfinite(amax):
        raise ValueError("NaN or infinity in the input")
    top = 2 ** (bits - 1) - 1
    scale = torch.where(amax > 0, amax / top, torch.ones_like(amax))
    q = (x / scale).round().clamp(min=-top, max=top)
    return q.to(dtype=torch.int8), scale.to(dtype=torch.float32)
