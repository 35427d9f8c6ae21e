# loses: 4.10/errors
# mistake: accepts any width by leaving the rest alone
def hadamard_rotate(weight, inputs):
    width = weight.shape[1]
    whole, width = width, 1 << (width.bit_length() - 1)
    rotation = torch.ones(1, 1, device=weight.device)
    while len(rotation) < width:
        above, below = torch.cat((rotation, rotation), dim=1), torch.cat((rotation, -rotation), dim=1)
        rotation = torch.cat((above, below), dim=0)
    rotation /= width**0.5  # rows of length 1; the matrix is its own transpose
    rotation = torch.block_diag(rotation, torch.eye(whole - width, device=weight.device))
    return weight.detach().float() @ rotation, inputs.detach().float() @ rotation
