# loses: 1.3/inputs 1.4/inputs
# mistake: flattens the codes with view, which a transposed tensor refuses
def dequantize(q, scale, zero_point=0):
    wide = q.view(-1).float().view(q.shape)
    return (wide - zero_point) * scale
