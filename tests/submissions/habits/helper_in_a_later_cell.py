# habit: the graded function uses a helper and a constant of later cells
# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = find_scale(x, bits)
    return to_signed(x, scale, bits), scale

# %%
def find_scale(x, bits):
    return scale_for(x.abs().amax(), bits) * ONE

# %%
ONE = 1.0
