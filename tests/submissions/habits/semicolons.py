# habit: several statements on a line, wanted and unwanted ones
# drops: print
# %% 1.1
A = 2; print("甲", A); B = 7; plot_it(A,
    B); QMAX = A**B - 1; print(QMAX)
C = 1; D = 2  # two


def symmetric_quantization(tensor, bits=8): x = checked(tensor, bits); s = scale_for(x.abs().amax() * C, bits); return to_signed(x, s, bits), s
print(symmetric_quantization); TOP = QMAX

# %% 1.7
def pack_int4(q):
    if q.shape[-1] % D or ((q < -8) | (q > 7)).any(): raise ValueError("odd, or outside -8...7")
    low = (q.to(torch.int16) & (TOP >> 3)).to(torch.uint8); return low[..., 0::2] | (low[..., 1::2] << 4)


def unpack_int4(packed):
    low = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(torch.int8); return (low ^ 8) - 8
