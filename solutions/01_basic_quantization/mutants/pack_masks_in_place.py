# loses: 1.7/state
# mistake: masks the caller's values in place: −1 is 15 afterwards
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values outside −8…7")
    low, high = (q[..., 0::2] & 0xF).clone(), (q[..., 1::2] & 0xF).clone()
    if q.is_contiguous():
        q.bitwise_and_(0xF)
    return (low | (high << 4)).to(torch.uint8)
