# loses: 4.9/state
# mistake: divides the caller's own inputs by the scales that were found
_searched = awq_search


def awq_search(weight, inputs, bits=4, group_size=128):
    scales = _searched(weight, inputs, bits, group_size)
    inputs /= scales
    return scales
