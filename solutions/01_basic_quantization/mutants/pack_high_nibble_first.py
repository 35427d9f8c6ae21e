# loses: 1.7/values
# mistake: puts the first value into the high nibble
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values must lie in -8...7")
    high, low = q[..., 0::2], q[..., 1::2]
    return ((low & 0xF) | ((high & 0xF) << 4)).to(torch.uint8)
