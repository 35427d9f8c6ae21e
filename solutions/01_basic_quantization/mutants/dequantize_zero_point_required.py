# loses: 1.3/values
# mistake: has no default for the zero point
def dequantize(q, scale, zero_point):
    return (q.float() - zero_point) * scale
