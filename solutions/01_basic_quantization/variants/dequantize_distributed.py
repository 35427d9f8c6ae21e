# variant of: 1.3
# differs: scale · q − scale · zero point, the product multiplied out
def dequantize(q, scale, zero_point=0):
    return (q.float() * scale - scale * zero_point).float()
