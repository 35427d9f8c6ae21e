# habit: several names bound by one assignment
# %% 1.7
(LOW, HIGH), MASK = (-8, 7), 0x0F
SHIFT = HALF = 4
first, *others = [0, 1]
[SIGN] = [8]


def pack_int4(q):
    if q.shape[-1] % 2 or (q < LOW).any() or (q > HIGH).any():
        raise ValueError("an odd number of values, or one outside -8...7")
    nibbles = (q.to(torch.int16) & MASK).to(torch.uint8)
    return nibbles[..., first::2] | (nibbles[..., others[0]::2] << SHIFT)


def unpack_int4(packed):
    nibbles = torch.stack([packed & MASK, packed >> HALF], dim=-1).flatten(-2).to(torch.int8)
    return (nibbles ^ SIGN) - SIGN
