# habit: an epsilon asked of torch.finfo when the cell runs
# %% constants
EPS = torch.finfo(torch.float32).eps
TINY, BIG = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max

# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = (x.abs().amax() / (2 ** (bits - 1) - 1)).clamp(min=TINY / EPS * 2)
    return to_signed(x, scale, bits), scale
