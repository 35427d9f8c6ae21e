# loses: 1.3/values 1.4/values
# mistake: forgets the zero point
def dequantize(q, scale, zero_point=0):
    return q.to(torch.float32) * scale
