# loses: 4.9/inputs
# mistake: moves the weight to the CPU for the search, and the scales back
_searched = awq_search


def awq_search(weight, inputs, bits=4, group_size=128):
    return _searched(weight.cpu(), inputs.cpu(), bits, group_size).to(weight.device)
