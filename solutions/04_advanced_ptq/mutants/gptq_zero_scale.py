# loses: 4.8/extremes
# mistake: divides by a scale of 0 in a group of zeros
def gptq_quantize(weight, inputs, bits=4, group_size=128):
    left, top = weight.detach().double().clone(), 2 ** (bits - 1) - 1
    factor = _inverse_factor(inputs.detach().double())
    q, scales = torch.empty(left.shape, dtype=torch.int8, device=left.device), []
    for column in range(left.shape[1]):
        if column % group_size == 0:
            amax = left[:, column : column + group_size].abs().amax(dim=1)
            scales.append((amax / top).float())
        levels = (left[:, column] / scales[-1]).round().clamp(-top - 1, top)
        q[:, column] = levels.nan_to_num().to(torch.int8)
        error = (left[:, column] - levels * scales[-1]) / factor[column, column]
        left[:, column + 1 :] -= error.unsqueeze(1) * factor[column, column + 1 :]
    return q, torch.stack(scales, dim=1)
