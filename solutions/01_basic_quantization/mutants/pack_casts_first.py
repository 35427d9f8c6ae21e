# loses: 1.7/errors
# mistake: makes int8 of the values before it looks at them: 259 has become 3 by then
def pack_int4(q):
    q = q.to(torch.int8)
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values outside −8…7")
    low, high = q[..., 0::2], q[..., 1::2]
    return ((low & 0xF) | ((high & 0xF) << 4)).to(torch.uint8)
