# variant of: 1.2
# differs: the range, the scale and an int zero point as Python numbers
def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float()
    lo, hi = min(0.0, x.min().item()), max(0.0, x.max().item())
    steps = 2**bits - 1
    step = (hi - lo) / steps if hi > lo else 1.0
    zero_point = max(0, min(steps, round(-lo / step)))
    q = torch.clamp(torch.round(x / step) + zero_point, 0, steps).to(torch.uint8)
    return q, torch.tensor(step, dtype=torch.float32, device=tensor.device), zero_point
