# variant of: 4.8
# differs: finds all scales in the weight as it was, works in float32
def gptq_quantize(weight, inputs, bits=4, group_size=128):
    top = 2 ** (bits - 1) - 1
    w, x = weight.float().clone(), inputs.float()
    amax = w.reshape(len(w), -1, group_size).abs().amax(dim=-1)
    scale = torch.where(amax > 0, amax, torch.ones_like(amax)) / top
    h = x.T @ x
    h = h + torch.eye(len(h), device=h.device) * (0.05 * h.diagonal().mean())
    factor = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    q = torch.zeros_like(w)
    for j in range(w.shape[1]):
        s = scale[:, j // group_size]
        q[:, j] = (w[:, j] / s).round().clamp(-top, top)
        w[:, j:] -= ((w[:, j] - q[:, j] * s) / factor[j, j])[:, None] * factor[j, j:]
    return q.to(torch.int8), scale
