# habit: tables made inside with blocks
# %% 1.1
with torch.no_grad():
    TOPS = 2.0 ** torch.arange(8) - 1
    one, two = TOPS[1], TOPS[2]

with torch.no_grad(), torch.random.fork_rng():
    TOPS += 0.0


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = x.abs().amax() / float(TOPS[bits - 1])
    scale = torch.where(scale == 0, 1.0, scale)
    return to_signed(x, scale, bits), scale
