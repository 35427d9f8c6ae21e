# loses: 4.10/inputs
# mistake: builds the matrix on the CPU, wherever the weight lives
def hadamard_rotate(weight, inputs):
    width = weight.shape[1]
    if width < 1 or width & (width - 1):
        raise ValueError(f"a Hadamard matrix of this kind needs a power of two; the input width is {width}")
    rotation = torch.ones(1, 1)
    while len(rotation) < width:
        above, below = torch.cat((rotation, rotation), dim=1), torch.cat((rotation, -rotation), dim=1)
        rotation = torch.cat((above, below), dim=0)
    rotation /= width**0.5  # rows of length 1; the matrix is its own transpose
    return weight.detach().float() @ rotation, inputs.detach().float() @ rotation
