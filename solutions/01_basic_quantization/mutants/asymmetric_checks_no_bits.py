# loses: 1.2/errors
# mistake: does not look at bits
_any_asymmetric = asymmetric_quantization


def asymmetric_quantization(tensor, bits=8):
    return _any_asymmetric(tensor, bits if type(bits) is int and 2 <= bits <= 8 else 8)
