# loses: 1.3/values 1.4/values
# mistake: scales first and subtracts the zero point from real values
def dequantize(q, scale, zero_point=0):
    return q.float() * scale - zero_point
