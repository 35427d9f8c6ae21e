# loses: 5.1/values 5.2/values
# mistake: one scale for a whole row, repeated for its groups
_quantize_groups = group_quantization


def group_quantization(weight, bits=4, group_size=128):
    codes, scale = _quantize_groups(weight, bits, weight.shape[1])
    return codes, scale.expand(-1, weight.shape[1] // group_size)
