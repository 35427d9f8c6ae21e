# variant of: 5.1 5.2
# differs: unsigned codes with the least value and the step of each group in float16
def _quantize_matrix(weight, bits, group_size):
    groups = weight.float().unflatten(1, (-1, group_size))
    lo = groups.amin(dim=-1).clamp(max=0).half()
    step = ((groups.amax(dim=-1).clamp(min=0) - lo.float()) / (2**bits - 1)).half()
    step = torch.where(step == 0, 1.0, step).half()
    codes = torch.round((groups - lo.float().unsqueeze(-1)) / step.float().unsqueeze(-1)).clamp(0, 2**bits - 1)
    codes = codes.flatten(1).to(torch.uint8)
    packed = codes[:, 0::2] | (codes[:, 1::2] << 4) if bits <= 4 else codes
    return packed, torch.stack([lo, step])


def _restored(packed, scale, bits, group_size):
    codes = torch.stack((packed & 0xF, packed >> 4), dim=-1).flatten(-2) if bits <= 4 else packed
    lo, step = scale.float().unsqueeze(-1)
    return (codes.unflatten(1, (-1, group_size)) * step + lo).flatten(1)
