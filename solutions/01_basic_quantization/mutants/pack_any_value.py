# loses: 1.7/errors
# mistake: does not look at the values: 8 silently becomes −8
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    low, high = q[..., 0::2], q[..., 1::2]
    return ((low & 0xF) | ((high & 0xF) << 4)).to(torch.uint8)
