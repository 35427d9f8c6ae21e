# loses: 5.2/inputs
# mistake: takes bits and group size for given instead of reading them
def _restored(packed, scale, bits, group_size):
    codes = unpack_int4(packed)
    return (codes.unflatten(1, (-1, 128)) * scale.float().unsqueeze(-1)).flatten(1)
