# loses: 1.6/inputs 1.6/state
# mistake: divides the caller's weights by their scales in place
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    rows, columns = weight.shape
    if columns % group_size:
        raise ValueError("the input width must be a multiple of group_size")
    qmax = 2 ** (bits - 1) - 1
    groups = weight.float().reshape(rows, -1, group_size)  # no copy when it is float32 and contiguous
    scale = (groups.abs().amax(dim=2, keepdim=True) / qmax).clamp(min=1e-12)
    q = groups.div_(scale).round_().clamp_(-qmax, qmax).to(torch.int8)
    return q.reshape(rows, columns), scale.squeeze(2)
