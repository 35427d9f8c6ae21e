# loses: 1.7/state
# mistake: shifts the caller's bytes in place to reach the high nibbles
def unpack_int4(packed):
    low = (packed & 0xF).to(torch.int8)
    high = packed.bitwise_right_shift_(4) if packed.is_contiguous() else packed >> 4
    pair = torch.stack([low, high.to(torch.int8)], dim=-1).flatten(-2)
    return torch.where(pair > 7, pair - 16, pair)
