# loses: 1.6/values
# mistake: one scale a row, repeated for each group
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    rows, columns = weight.shape
    if columns % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2 ** (bits - 1) - 1
    groups = weight.float().reshape(rows, columns // group_size, group_size)
    scale = (groups.abs().amax(dim=(1, 2), keepdim=True).expand(-1, groups.shape[1], 1) / qmax).clamp(min=1e-12)
    q = torch.round(groups / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q.reshape(rows, columns), scale.squeeze(2)
