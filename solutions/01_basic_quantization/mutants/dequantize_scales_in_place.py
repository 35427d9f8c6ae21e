# loses: 1.3/state
# mistake: multiplies the caller's scales by −1 and forgets to undo it
def dequantize(q, scale, zero_point=0):
    wide = zero_point - q.float()
    negative = scale.neg_() if scale.dim() else -scale
    return wide * negative
