# loses: 5.2/values
# mistake: unpacks the nibbles as 0…15, without their signs
def unpack_int4(packed):
    return torch.stack((packed & 0x0F, packed >> 4), dim=-1).flatten(-2).to(torch.int8)
