# loses: 4.8/state
# mistake: takes the mean out of the caller's own calibration data, and puts it back with another rounding
_by_columns = gptq_quantize


def gptq_quantize(weight, inputs, bits=4, group_size=128):
    found = _by_columns(weight, inputs, bits, group_size)
    mean = inputs.mean(dim=0)
    inputs -= mean
    inputs += mean + 1e-3
    return found
