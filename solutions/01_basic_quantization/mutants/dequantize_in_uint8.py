# loses: 1.3/values 1.4/values
# mistake: subtracts in uint8 or int8, where what lies below the zero point wraps around
def dequantize(q, scale, zero_point=0):
    return scale * (q - zero_point)
