# loses: 1.7/errors
# mistake: fills an odd row up with a zero instead of refusing it
def pack_int4(q):
    if q.shape[-1] % 2:
        q = torch.nn.functional.pad(q, (0, 1))
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values must lie in -8...7")
    low, high = q[..., 0::2], q[..., 1::2]
    return ((low & 0xF) | ((high & 0xF) << 4)).to(torch.uint8)
