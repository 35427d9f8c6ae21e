# variant of: 1.7
# differs: looks at the same bits as uint8 and back as int8, with arithmetic shifts for the sign
def pack_int4(q):
    if q.shape[-1] % 2 != 0:
        raise ValueError("cannot pack an odd number of values")
    if bool((q.abs() > 8).any() or (q < -8).any() or (q == 8).any()):
        raise ValueError("value outside of the 4-bit range")
    bits = q.contiguous().view(torch.uint8)
    pairs = bits.reshape(*bits.shape[:-1], -1, 2)
    return (pairs[..., 0] & 15).bitwise_or(pairs[..., 1] << 4)


def unpack_int4(packed):
    signed = packed.contiguous().view(torch.int8)
    low, high = (signed << 4) >> 4, signed >> 4
    return torch.stack((low, high), dim=-1).reshape(*packed.shape[:-1], packed.shape[-1] * 2)
