# habit: constants that loops compute
# drops: for n in (1, 2)
# %% constants
top = 1
while top < 127:
    top = 2 * top + 1

powers = []
for i in range(9):
    powers.append(2**i)

n = 0
for power in powers:
    if power > top:
        break
    n += 1
BITS_OF_TOP = n + 1

# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    hi = top // powers[BITS_OF_TOP - bits]
    scale = x.abs().amax() / hi
    scale = torch.where(scale == 0, 1.0, scale)
    return torch.round(x / scale).clamp(-hi - 1, hi).to(torch.int8), scale

# %%
for i in range(2, 9):
    for n in (1, 2):
        q, scale = symmetric_quantization(torch.randn(4), bits=i)
