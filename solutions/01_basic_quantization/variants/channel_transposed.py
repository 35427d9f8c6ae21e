# variant of: 1.5
# differs: moves the axis to the front, works on [C, rest] in float64, and moves it back
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    require_finite(tensor)
    front = tensor.double().transpose(0, axis)
    rows = front.reshape(front.shape[0], -1)
    lo, hi = rows.min(dim=1, keepdim=True).values, rows.max(dim=1, keepdim=True).values
    amax = torch.maximum(lo.neg(), hi)
    scale = torch.where(amax == 0, torch.full_like(amax, 1e-3), amax / (2 ** (bits - 1) - 1))
    q = torch.round(rows / scale).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).to(torch.int8)
    kept = scale.reshape([-1] + [1] * (tensor.dim() - 1)).transpose(0, axis)
    return q.reshape(front.shape).transpose(0, axis).contiguous(), kept.float()
