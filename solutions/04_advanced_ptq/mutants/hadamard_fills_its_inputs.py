# loses: 4.10/state
# mistake: writes the rotated inputs into the tensor that came in
_rotated = hadamard_rotate


def hadamard_rotate(weight, inputs):
    turned = _rotated(weight, inputs)
    inputs.copy_(turned[1])
    return turned
