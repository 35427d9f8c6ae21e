# habit: names deleted when they are no longer needed, and used again
# %% 1.1
tmp = 2
QMAX = tmp**7 - 1
del tmp
table = {8: QMAX, 9: None}
del table[9]
tmp = "used for something else"


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    top = table[8] >> (8 - bits)
    scale = x.abs().amax() / top
    scale = torch.where(scale == 0, 1.0, scale)
    assert len(table) == 1
    return torch.round(x / scale).clamp(-top - 1, top).to(torch.int8), scale
