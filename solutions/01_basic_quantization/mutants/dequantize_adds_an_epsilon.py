# loses: 1.3/values 1.4/extremes
# mistake: adds 1e-6 lest anything be zero: the zero point's own code is no longer exactly 0
def dequantize(q, scale, zero_point=0):
    return ((q.float() - zero_point + 1e-6) * scale).float()
