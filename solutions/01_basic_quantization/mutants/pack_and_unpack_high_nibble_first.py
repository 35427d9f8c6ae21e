# loses: 1.7/values
# mistake: packs and unpacks with the high nibble first: the round trip works, the bytes are wrong
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values must lie in -8...7")
    high, low = q[..., 0::2], q[..., 1::2]
    return ((low & 0xF) | ((high & 0xF) << 4)).to(torch.uint8)


def unpack_int4(packed):
    low, high = (packed & 0xF).to(torch.int8), (packed >> 4).to(torch.int8)
    both = torch.stack([high, low], dim=-1).flatten(-2)
    return torch.where(both > 7, both - 16, both)
