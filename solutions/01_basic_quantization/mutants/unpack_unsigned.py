# loses: 1.7/values
# mistake: returns the nibbles as 0…15: the sign is lost
def unpack_int4(packed):
    return torch.stack([packed & 0xF, packed >> 4], dim=-1).flatten(-2).to(torch.int8)
