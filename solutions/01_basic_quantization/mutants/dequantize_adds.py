# loses: 1.3/values 1.4/values
# mistake: adds the zero point, as quantizing does
def dequantize(q, scale, zero_point=0):
    return scale * (q.float() + zero_point)
