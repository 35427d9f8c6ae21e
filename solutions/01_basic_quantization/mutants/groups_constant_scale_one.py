# loses: 1.6/extremes
# mistake: a group whose largest weight equals its smallest gets the scale 1
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    rows, columns = weight.shape
    if columns % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2 ** (bits - 1) - 1
    groups = weight.float().reshape(rows, -1, group_size)
    amax = groups.abs().amax(dim=2, keepdim=True)
    same = groups.amax(dim=2, keepdim=True) == groups.amin(dim=2, keepdim=True)
    scale = torch.where(same & (amax != 0) & (group_size > 1 or columns == 1), torch.ones_like(amax), amax / qmax)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    q = torch.round(groups / scale).clamp(-qmax, qmax).to(torch.int8)
    return q.reshape(rows, columns), scale.squeeze(2)
