# loses: 3.1/inputs
# mistake: computes on the CPU and sends the results back
def dynamic_quantize(x, bits=8, granularity="per_token"):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits: 2 to 8")
    if granularity not in ("per_token", "per_tensor"):
        raise ValueError("unknown granularity")
    device, x = x.device, x.float().cpu()
    amax = x.abs().amax(dim=-1, keepdim=True) if granularity == "per_token" else x.abs().max()
    top = 2 ** (bits - 1) - 1
    scale = (amax / top).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-top, top).to(torch.int8).to(device), scale.to(device)
