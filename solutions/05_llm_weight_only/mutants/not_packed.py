# loses: 5.1/values 5.2/values
# mistake: stores every 4-bit code in a byte of its own
def _quantize_matrix(weight, bits, group_size):
    codes, scale = group_quantization(weight, bits, group_size)
    return codes.view(torch.uint8), scale.half()


def _restored(packed, scale, bits, group_size):
    codes = packed.view(torch.int8)
    return (codes.unflatten(1, (-1, group_size)) * scale.float().unsqueeze(-1)).flatten(1)
