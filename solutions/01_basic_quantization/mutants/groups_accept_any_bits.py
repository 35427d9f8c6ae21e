# loses: 1.6/errors
# mistake: does not look at bits, nor at the data
def group_quantization(weight, bits=4, group_size=128):
    rows, columns = weight.shape
    if columns % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2.0 ** (bits - 1) - 1
    groups = weight.float().reshape(rows, columns // group_size, group_size)
    scale = groups.abs().amax(dim=2, keepdim=True) / (qmax or 1.0)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    q = torch.round(groups / scale).clamp(-128, 127).to(torch.int8)
    return q.reshape(rows, columns), scale.squeeze(2)
