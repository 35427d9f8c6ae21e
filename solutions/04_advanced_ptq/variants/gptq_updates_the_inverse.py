# variant of: 4.8
# differs: removes each column from the inverse curvature, as in optimal brain quantization, without a Cholesky factor
def gptq_quantize(weight, inputs, bits=4, group_size=128):
    w, x = weight.double().clone(), inputs.double()
    h = 2 * x.T @ x / len(x)
    dead = h.diagonal() == 0
    h += torch.diag(dead.double()) + 0.01 * h.diagonal().mean() * torch.eye(len(h), dtype=h.dtype, device=h.device)
    inverse, top = torch.linalg.inv(h), 2 ** (bits - 1) - 1
    codes, scales = [], []
    for j in range(w.shape[1]):
        if j % group_size == 0:
            scales.append((w[:, j : j + group_size].abs().amax(dim=1) / top).clamp(min=1e-9).float())
        code = torch.clamp(torch.round(w[:, j] / scales[-1]), -top, top)
        codes.append(code)
        delta = (w[:, j] - code * scales[-1]) / inverse[j, j]
        w[:, j:] -= torch.outer(delta, inverse[j, j:])
        inverse = inverse - torch.outer(inverse[:, j], inverse[j]) / inverse[j, j]
    return torch.stack(codes, dim=1).to(torch.int8), torch.stack(scales, dim=1)
