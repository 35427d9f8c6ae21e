# loses: 1.6/inputs
# mistake: moves the weights to the CPU and leaves the results there
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    rows, columns = weight.shape
    if columns % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2 ** (bits - 1) - 1
    groups = weight.cpu().float().reshape(rows, -1, group_size)
    scale = (groups.abs().amax(dim=2, keepdim=True) / qmax).clamp(min=1e-12)
    q = torch.round(groups / scale).clamp(-qmax, qmax).to(torch.int8)
    return q.reshape(rows, columns), scale.squeeze(2)
