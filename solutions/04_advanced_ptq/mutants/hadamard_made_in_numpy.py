# loses: 4.10/inputs
# mistake: rotates with NumPy on the CPU, and moves the results back
_rotated = hadamard_rotate


def hadamard_rotate(weight, inputs):
    turned = _rotated(weight.cpu(), inputs.cpu())
    return turned[0].to(weight.device), turned[1].to(weight.device)
