# loses: 1.3/extremes
# mistake: a single code of no dimension becomes a tensor of one element
_restored = dequantize


def dequantize(q, scale, zero_point=0):
    return torch.atleast_1d(_restored(q, scale, zero_point))
