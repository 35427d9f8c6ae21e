# loses: 5.1/values 5.2/values
# mistake: truncates instead of rounding
def group_quantization(weight, bits=4, group_size=128):
    groups = weight.float().unflatten(1, (-1, group_size))
    scale = (groups.abs().amax(dim=-1) / (2 ** (bits - 1) - 1)).clamp(min=1e-12)
    return (groups / scale.unsqueeze(-1)).to(torch.int8).flatten(1), scale
