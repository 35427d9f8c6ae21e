# loses: 1.2/errors
# mistake: takes NaN for 0 and infinities for the largest float instead of refusing them
_finite_asymmetric = asymmetric_quantization


def asymmetric_quantization(tensor, bits=8):
    return _finite_asymmetric(tensor.float().nan_to_num().clamp(-1e30, 1e30), bits)
