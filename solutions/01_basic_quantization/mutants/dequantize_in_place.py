# loses: 1.3/state
# mistake: subtracts the zero point in place, in the caller's codes and in uint8
def dequantize(q, scale, zero_point=0):
    if isinstance(zero_point, torch.Tensor) and zero_point.dim():
        scale.mul_(1.0)
        zero_point.neg_()
        return (q.float() + zero_point) * scale
    return (q.float() - zero_point) * scale
