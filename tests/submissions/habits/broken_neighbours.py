# habit: broken cells and cells that raise, beside good ones
# drops: missing_package
# notes: does not parse
# %%
import missing_package.submodule as mp
mp.setup(quiet=True)

# %%
def half_written(:
    return

# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale

# %%
print(undefined_name)
1 / 0
