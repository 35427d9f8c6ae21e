# variant of: 5.1 5.2
# differs: tries a few smaller scales for each group and keeps the one with the least squared error
def group_quantization(weight, bits=4, group_size=128):
    groups = weight.float().unflatten(1, (-1, group_size))
    top = 2 ** (bits - 1) - 1
    full = (groups.abs().amax(dim=-1, keepdim=True) / top).clamp(min=2.0**-23)
    best, kept, codes = torch.full_like(full, torch.inf), full, torch.zeros_like(groups)
    for factor in (1.0, 0.95, 0.9, 0.85, 0.8):
        scale = full * factor
        q = torch.round(groups / scale).clamp(-top - 1, top)
        error = (q * scale - groups).square().sum(dim=-1, keepdim=True)
        better = error < best
        best, kept, codes = torch.where(better, error, best), torch.where(better, scale, kept), torch.where(better, q, codes)
    return codes.to(torch.int8).flatten(1), kept.squeeze(-1)
