# variant of: 5.1 5.2
# differs: stores the scale 0 for a group of zeros: the packed format is free, and what comes back is 0
def group_quantization(weight, bits=4, group_size=128):
    groups = weight.float().unflatten(1, (-1, group_size))
    top = 2 ** (bits - 1) - 1
    scale = groups.abs().amax(dim=-1) / top
    divisor = torch.where(scale == 0, torch.ones_like(scale), scale).unsqueeze(-1)
    return torch.round(groups / divisor).clamp(-top - 1, top).to(torch.int8).flatten(1), scale
