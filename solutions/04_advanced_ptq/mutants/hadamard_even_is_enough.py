# loses: 4.10/errors
# mistake: refuses odd widths only, and builds a matrix that is too large
def hadamard_rotate(weight, inputs):
    width = weight.shape[1]
    if width < 1 or width % 2:
        raise ValueError(f"a Hadamard matrix of this kind needs a power of two; the input width is {width}")
    rotation = torch.ones(1, 1, device=weight.device)
    while len(rotation) < width:
        above, below = torch.cat((rotation, rotation), dim=1), torch.cat((rotation, -rotation), dim=1)
        rotation = torch.cat((above, below), dim=0)
    rotation /= width**0.5  # rows of length 1; the matrix is its own transpose
    rotation = rotation[:width, :width]
    return weight.detach().float() @ rotation, inputs.detach().float() @ rotation
