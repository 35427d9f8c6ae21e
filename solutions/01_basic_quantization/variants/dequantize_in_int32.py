# variant of: 1.3
# differs: subtracts in int32 and multiplies afterwards
def dequantize(q, scale, zero_point=0):
    difference = q.to(torch.int32) - zero_point
    return difference.to(torch.float32).mul(scale)
