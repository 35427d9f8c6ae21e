# loses: 1.3/values 1.4/values
# mistake: computes in float16 and returns float32
def dequantize(q, scale, zero_point=0):
    return ((q.half() - zero_point) * scale.half()).float()
