# variant of: 1.3
# differs: computes in float64; a tensor zero point is converted first
def dequantize(q, scale, zero_point=0):
    if isinstance(zero_point, torch.Tensor):
        zero_point = zero_point.to(device=q.device, dtype=torch.float64)
    return torch.mul(torch.sub(q.double(), zero_point), scale).to(torch.float32)
