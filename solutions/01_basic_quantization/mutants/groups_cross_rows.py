# loses: 1.6/errors
# mistake: checks the size of the whole matrix, so that groups may run on into the next row
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    rows, columns = weight.shape
    if weight.numel() % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2 ** (bits - 1) - 1
    groups = weight.float().reshape(-1, 1, group_size)
    scale = (groups.abs().amax(dim=2, keepdim=True) / qmax).clamp(min=1e-12)
    q = torch.round(groups / scale).clamp(-qmax - 1, qmax).to(torch.int8)
    return q.reshape(rows, columns), scale.reshape(rows, -1) if columns % group_size == 0 else scale.flatten()
