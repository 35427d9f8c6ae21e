# loses: 1.3/extremes
# mistake: restores one row after the other: a single code has no rows
def dequantize(q, scale, zero_point=0):
    if isinstance(scale, torch.Tensor) and scale.dim():
        return (q.float() - zero_point) * scale
    return torch.stack([(row.float() - zero_point) * scale for row in q])
