# loses: 1.3/inputs
# mistake: converts a zero point tensor to the codes' dtype: an int32 one is fine, the sum overflows in int8
def dequantize(q, scale, zero_point=0):
    if isinstance(zero_point, torch.Tensor) and zero_point.dim() == 0:
        return (q - zero_point.to(q.dtype)).float() * scale if q.dtype is torch.int8 else (q.float() - zero_point) * scale
    return (q.float() - zero_point) * scale
