# loses: 5.2/values
# mistake: takes the high nibble first
def unpack_int4(packed):
    nibbles = torch.stack((packed >> 4, packed & 0x0F), dim=-1).flatten(-2).to(torch.int8)
    return (nibbles ^ 8) - 8
