# habit: experiments with graded functions, under the names that the functions use inside
# drops: randn
# drops: results
# %% constants
bits_to_try = (2, 4, 8)
EPS = 0.0
scale = 1.0

# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax() + EPS, bits)
    return to_signed(x, scale, bits), scale

# %%
np_seed = 0
w = torch.randn(64, 64)
results = {}
for bits in bits_to_try:
    q, scale = symmetric_quantization(w, bits=bits)
    results[bits] = (dequantize(q, scale) - w).abs().mean()
    results.setdefault("all", []).append(float(results[bits]))
symmetric_quantization(w)[0].unique()
x = checked = None if False else checked
q, s = symmetric_quantization(w)
print(q.dtype, s)

# %% 1.3
def dequantize(q, scale, zero_point=0):
    x = (q.float() - zero_point) * scale
    return x

# %%
sweep = [compute_sqnr(w, dequantize(*symmetric_quantization(w, bits))) for bits in bits_to_try]
best = max(sweep)
w[0] = best
