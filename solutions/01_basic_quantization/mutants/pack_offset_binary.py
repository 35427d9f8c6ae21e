# loses: 1.7/values
# mistake: stores q + 8 instead of two's complement
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values must lie in -8...7")
    low, high = q[..., 0::2], q[..., 1::2]
    return ((low + 8) | ((high + 8) << 4)).to(torch.uint8)
