# habit: a constant that a graded function itself computes is kept, the experiment beside it is not
# drops: print
# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale

# %%
_, UNIT = symmetric_quantization(torch.tensor([127.0]))
print(UNIT, symmetric_quantization(UNIT))

# %% 1.3
def dequantize(q, scale, zero_point=0):
    return (q.float() - zero_point) * scale * UNIT
