# habit: a first try, a second try, and a helper that changes in between
# %% 1.1
def top(bits):
    return 2 ** (bits - 1)


def symmetric_quantization(tensor, bits=8):
    return tensor, 1.0

# %%
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = torch.where(x.abs().amax() == 0, 1.0, x.abs().amax() / top(bits))
    return to_signed(x, scale, bits), scale

# %%
FACTOR = 2
first_try = symmetric_quantization
FACTOR = 1


def top(bits):
    return (2 ** (bits - 1) - 1) * FACTOR
