# loses: 1.7/inputs
# mistake: one step of Python a byte
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values outside −8…7")
    values = [int(v) & 0xF for v in q.flatten()]
    packed = [low | (high << 4) for low, high in zip(values[0::2], values[1::2], strict=True)]
    return torch.tensor(packed, dtype=torch.uint8, device=q.device).reshape(*q.shape[:-1], -1)
