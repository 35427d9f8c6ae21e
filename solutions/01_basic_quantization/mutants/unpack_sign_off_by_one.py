# loses: 1.7/values
# mistake: takes nibbles above 8 for negative: −8 comes back as 8
def unpack_int4(packed):
    both = torch.stack([packed & 0xF, packed >> 4], dim=-1).flatten(-2).to(torch.int8)
    return torch.where(both > 8, both - 16, both)
