# loses: 1.6/values
# mistake: groups neighbouring rows instead of neighbouring columns
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    rows, columns = weight.shape
    if columns % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2 ** (bits - 1) - 1
    weight = weight.float().t()
    groups = weight.reshape(columns, -1, min(group_size, rows))
    scale = (groups.abs().amax(dim=2, keepdim=True) / qmax).clamp(min=1e-12)
    q = torch.round(groups / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q.reshape(columns, rows).t(), scale.squeeze(2).t()
