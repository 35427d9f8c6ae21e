# loses: 1.7/values
# mistake: returns all low nibbles, then all high ones
def unpack_int4(packed):
    both = torch.cat([packed & 0xF, packed >> 4], dim=-1).to(torch.int8)
    return torch.where(both > 7, both - 16, both)
