# loses: 1.3/values 1.4/values
# mistake: restores to float16 to save memory
def dequantize(q, scale, zero_point=0):
    return (scale * (q.float() - zero_point)).half()
