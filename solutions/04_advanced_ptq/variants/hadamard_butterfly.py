# variant of: 4.10
# differs: the fast transform: log2(in) rounds of sums and differences, no matrix
def hadamard_rotate(weight, inputs):
    return _transformed(weight), _transformed(inputs)


def _transformed(x):
    width = x.shape[-1]
    if bin(width).count("1") != 1:
        raise ValueError(f"{width} is no power of two")
    y, half = x.float().reshape(-1, width), 1
    while half < width:
        pairs = y.reshape(len(y), -1, 2, half)
        y = torch.stack((pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]), dim=2).reshape(len(y), width)
        half *= 2
    return y / width**0.5
