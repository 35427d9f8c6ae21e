# variant of: 4.10
# differs: entry (i, j) is −1 to the number of ones in i AND j; a handful of Kronecker products
def hadamard_rotate(weight, inputs):
    width = weight.shape[1]
    if width < 1 or width & (width - 1):
        raise ValueError(f"a Hadamard matrix of this kind needs a power of two; the input width is {width}")
    rotation = torch.ones(1, 1, device=weight.device)
    while len(rotation) < width:
        rotation = torch.kron(rotation, torch.tensor([[1.0, 1.0], [1.0, -1.0]], device=weight.device))
    rotation /= width**0.5  # rows of length 1; the matrix is its own transpose
    return weight.detach().float() @ rotation, inputs.detach().float() @ rotation
