# loses: 5.1/inputs 5.2/inputs
# mistake: bits above 4 are quantized with 4-bit steps
_group_any = group_quantization


def group_quantization(weight, bits=4, group_size=128):
    return _group_any(weight, min(bits, 4), group_size)
