# variant of: 3.1
# differs: tokens as rows of a matrix; per tensor is one long row
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if bits not in range(2, 9) or type(bits) is not int:
        raise ValueError("bits")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("granularity")
    rows = x.float().reshape(1, -1) if granularity == "per_tensor" else x.float().reshape(-1, x.shape[-1])
    top = 2.0 ** (bits - 1) - 1
    scale = rows.abs().max(dim=1, keepdim=True).values / top
    safe = scale + (scale == 0).float()
    q = torch.round(rows / safe).clip(-top, top).to(torch.int8).reshape(x.shape)
    return q, safe.reshape(()) if granularity == "per_tensor" else safe.reshape(*x.shape[:-1], 1)
