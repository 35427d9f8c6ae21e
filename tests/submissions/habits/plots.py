# habit: plots of graded functions between the tasks
# drops: plt.
# drops: matplotlib
# %% 1.1
import matplotlib.pyplot as plt

plt.rcParams["figure.figsize"] = (6, 4)


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale

# %%
fig, axes = plt.subplots(1, 3)
LEVELS = [2, 4, 8]
for ax, bits, f in zip(axes, LEVELS, [symmetric_quantization] * 3):
    ax.hist(f(torch.randn(1000), bits)[0].numpy())
    ax.set_title(f.__name__)
plt.plot(LEVELS)
fig.tight_layout()
plt.show()

# %% 1.2
def asymmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    top = 2**bits - 1 if bits in LEVELS else 2**bits - 1
    lo, hi = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    scale = torch.where(hi == lo, 1.0, (hi - lo) / top)
    zero_point = torch.round(-lo / scale).clamp(0, top).to(torch.int32)
    return (torch.round(x / scale) + zero_point).clamp(0, top).to(torch.uint8), scale, zero_point
