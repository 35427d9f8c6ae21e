# loses: 5.1/values 5.2/values
# mistake: has the levels of 3 bits, as when the sign bit is counted twice
_quantize_4_bits = group_quantization


def group_quantization(weight, bits=4, group_size=128):
    return _quantize_4_bits(weight, bits - 1, group_size)
