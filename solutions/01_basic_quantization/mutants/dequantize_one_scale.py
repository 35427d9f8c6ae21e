# loses: 1.3/values
# mistake: turns scale and zero point into single numbers: one for each channel fails
def dequantize(q, scale, zero_point=0):
    return (q.float() - int(zero_point)) * float(scale)
