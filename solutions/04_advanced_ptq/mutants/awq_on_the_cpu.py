# loses: 4.9/inputs
# mistake: moves weight and inputs to the CPU, and the scales back
_at_home = awq_search


def awq_search(weight, inputs, bits=4, group_size=128):
    return _at_home(weight.cpu(), inputs.cpu(), bits, group_size).to(weight.device)
