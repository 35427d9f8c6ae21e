# loses: 1.7/errors
# mistake: pairs values over the whole tensor and counts them all: an odd row is accepted
def pack_int4(q):
    if q.numel() % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values must lie in -8...7")
    low, high = q.flatten()[0::2], q.flatten()[1::2]
    return ((low & 0xF) | ((high & 0xF) << 4)).to(torch.uint8).reshape(*q.shape[:-1], -1)
