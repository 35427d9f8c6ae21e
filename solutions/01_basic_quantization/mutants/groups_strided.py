# loses: 1.6/values
# mistake: groups every n-th weight instead of neighbours: the two inner dimensions are swapped
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    rows, columns = weight.shape
    if columns % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2 ** (bits - 1) - 1
    groups = weight.float().reshape(rows, group_size, columns // group_size).transpose(1, 2)
    scale = (groups.abs().amax(dim=2, keepdim=True) / qmax).clamp(min=1e-12)
    q = torch.round(groups / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q.transpose(1, 2).reshape(rows, columns), scale.squeeze(2)
