# variant of: 1.6
# differs: unfold cuts the groups out; the scale is repeated over its group instead of broadcast
def group_quantization(weight, bits=4, group_size=128):
    require_bits(bits)
    require_finite(weight)
    if weight.shape[1] % group_size != 0:
        raise ValueError(f"{weight.shape[1]} inputs are no multiple of {group_size}")
    w = weight.to(torch.float32)
    amax = w.unfold(1, group_size, group_size).abs().amax(dim=-1)
    qmax = 2 ** (bits - 1) - 1
    scale = torch.where(amax > 0, amax / qmax, torch.ones_like(amax))
    q = torch.round(w / scale.repeat_interleave(group_size, dim=1))
    return q.clamp(-qmax, qmax).to(torch.int8), scale
