# habit: tables that loops and comprehensions fill by key, also under another name
# %% 1.1
QMAX = {}
for b in range(2, 9): QMAX[b] = 2 ** (b - 1) - 1
QMIN = [0] * 9
alias = QMIN
for i, hi in QMAX.items():
    alias[i] = -hi - 1
DTYPES = {}
DTYPES.update(signed=torch.int8)
LIMITS = torch.zeros(9)
LIMITS[2:] = torch.tensor([QMAX[b] for b in range(2, 9)])
LIMITS.mul_(1.0)


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = x.abs().amax() / LIMITS[bits].item()
    scale = torch.where(scale == 0, 1.0, scale)
    return torch.round(x / scale).clamp(QMIN[bits], QMAX[bits]).to(DTYPES["signed"]), scale
