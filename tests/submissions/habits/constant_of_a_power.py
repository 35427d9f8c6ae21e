# habit: constants computed from powers of two
# %% constants
QMAX = 2**7 - 1
QMIN = -QMAX - 1
LEVELS = QMAX - QMIN
print(f"{LEVELS=}")

# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    step = 2 ** (8 - bits)
    top = (QMAX + 1) // step - 1
    scale = x.abs().amax() / top
    scale = torch.where(scale == 0, 1.0, scale)
    return torch.round(x / scale).clamp(QMIN // step, top).to(torch.int8), scale
