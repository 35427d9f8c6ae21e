# loses: 4.10/values
# mistake: returns both as they were
def hadamard_rotate(weight, inputs):
    if weight.shape[1] & (weight.shape[1] - 1):
        raise ValueError("the width is no power of two")
    return weight.clone(), inputs.clone()
