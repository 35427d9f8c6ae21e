# loses: 5.1/values 5.2/values
# mistake: one scale for a whole matrix
def _quantize_matrix(weight, bits, group_size):
    weight = weight.float()
    scale = weight.abs().max() / (2 ** (bits - 1) - 1)
    codes = torch.round(weight / scale).to(torch.int8)
    packed = pack_int4(codes) if bits <= 4 else codes.view(torch.uint8)
    return packed, scale.half().expand(weight.shape[0], weight.shape[1] // group_size).contiguous()
