# loses: 1.7/inputs
# mistake: views the values as pairs, which a transposed tensor refuses
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values outside −8…7")
    pairs = q.view(-1, 2)
    packed = (pairs[:, 0] & 0xF) | ((pairs[:, 1] & 0xF) << 4)
    return packed.to(torch.uint8).view(*q.shape[:-1], -1)
