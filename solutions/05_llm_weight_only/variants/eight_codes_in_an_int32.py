# variant of: 5.1 5.2
# differs: packs eight 4-bit codes into an int32, down the rows, as GPTQ checkpoints do
def _quantize_matrix(weight, bits, group_size):
    codes, scale = group_quantization(weight, bits, group_size)
    if bits > 4:
        return codes.view(torch.uint8), scale.half()
    shifts = torch.arange(0, 32, 4, dtype=torch.int64)
    eights = (codes.T.reshape(-1, 8, codes.shape[0]).long() & 0xF) << shifts[:, None]
    words = eights.sum(dim=1)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32), scale.half()


def _restored(packed, scale, bits, group_size):
    if bits > 4:
        codes = packed.view(torch.int8)
    else:
        shifts = torch.arange(0, 32, 4, dtype=torch.int64)
        nibbles = (packed.long()[:, None] >> shifts[:, None]) & 0xF
        codes = torch.where(nibbles > 7, nibbles - 16, nibbles).flatten(0, 1).T
    return (codes.unflatten(1, (-1, group_size)) * scale.float().unsqueeze(-1)).flatten(1)
