# habit: lookup tables as literals, and one derived from another
# %% tables
QRANGE = {2: (-2, 1), 3: (-4, 3), 4: (-8, 7), 5: (-16, 15), 6: (-32, 31), 7: (-64, 63), 8: (-128, 127)}
UNSIGNED_TOP = {bits: hi - lo for bits, (lo, hi) in QRANGE.items()}
DTYPES = [None, torch.int8, torch.uint8]
for bits, levels in QRANGE.items():
    print(bits, levels)

# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    lo, hi = QRANGE[bits]
    scale = x.abs().amax() / hi
    scale = torch.where(scale == 0, 1.0, scale)
    return torch.round(x / scale).clamp(lo, hi).to(DTYPES[1]), scale

# %% 1.2
def asymmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    lo, hi, top = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0), UNSIGNED_TOP[bits]
    scale = (hi - lo) / top
    scale = torch.where(scale == 0, 1.0, scale)
    zero_point = torch.round(-lo / scale).clamp(0, top).int()
    return (torch.round(x / scale) + zero_point).clamp(0, top).to(DTYPES[2]), scale, zero_point
