# habit: walrus assignments, at the top level too
# %% 1.1
print(hi_of_8 := 2**7 - 1)
tops = [last := 2 ** (b - 1) - 1 for b in range(2, 9)]


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    top = hi_of_8 if bits == 8 else tops[bits - 2]
    assert top <= last
    if (scale := x.abs().amax() / top) == 0:
        scale = torch.ones_like(scale)
    return to_signed(x, scale, bits), scale
