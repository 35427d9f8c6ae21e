# variant of: 1.7
# differs: remainders and products in int16 instead of bit operations
def pack_int4(q):
    *_, n = q.shape
    if n % 2:
        raise ValueError("odd length")
    lo, hi = int(q.min()), int(q.max())
    if lo < -8 or hi > 7:
        raise ValueError(f"values from {lo} to {hi} do not fit into four bits")
    wide = q.to(torch.int16) % 16
    return (wide[..., ::2] + 16 * wide[..., 1::2]).to(torch.uint8)


def unpack_int4(packed):
    wide = packed.to(torch.int16)
    out = torch.empty(*packed.shape[:-1], 2 * packed.shape[-1], dtype=torch.int8, device=packed.device)
    for start, nibble in enumerate((wide % 16, wide // 16)):
        out[..., start::2] = torch.where(nibble >= 8, nibble - 16, nibble).to(torch.int8)
    return out
