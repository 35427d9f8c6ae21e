# habit: a global counter and a memo that the graded functions keep
# drops: for trial
# %% 1.1
CALLS = 0
MEMO = {}


def top_of(bits):
    if bits not in MEMO:
        MEMO[bits] = 2 ** (bits - 1) - 1
    return MEMO[bits]


def symmetric_quantization(tensor, bits=8):
    global CALLS
    CALLS += 1
    x = checked(tensor, bits)
    scale = x.abs().amax() / top_of(bits)
    scale = torch.where(scale == 0, 1.0, scale)
    return to_signed(x, scale, bits), scale

# %%
for trial in range(100):
    symmetric_quantization(torch.randn(10))
print(f"called {CALLS} times")
