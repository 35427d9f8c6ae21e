# loses: 5.1/values 5.2/values
# mistake: groups neighbouring rows of a column instead of neighbouring weights of a row
def _quantize_matrix(weight, bits, group_size):
    codes, scale = group_quantization(weight.T.contiguous(), bits, group_size)
    return (pack_int4(codes) if bits <= 4 else codes.view(torch.uint8)), scale.half()


def _restored(packed, scale, bits, group_size):
    codes = unpack_int4(packed) if bits <= 4 else packed.view(torch.int8)
    return (codes.unflatten(1, (-1, group_size)) * scale.float().unsqueeze(-1)).flatten(1).T
