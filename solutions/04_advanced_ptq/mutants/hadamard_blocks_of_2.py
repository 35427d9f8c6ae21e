# loses: 4.10/values
# mistake: rotates neighbouring pairs only
def hadamard_rotate(weight, inputs):
    width = weight.shape[1]
    if width < 1 or width & (width - 1):
        raise ValueError(f"a Hadamard matrix of this kind needs a power of two; the input width is {width}")
    rotation = torch.ones(1, 1, device=weight.device)
    while len(rotation) < 2:
        above, below = torch.cat((rotation, rotation), dim=1), torch.cat((rotation, -rotation), dim=1)
        rotation = torch.cat((above, below), dim=0)
    rotation = torch.block_diag(*[rotation / 2**0.5] * (width // 2))
    return weight.detach().float() @ rotation, inputs.detach().float() @ rotation
