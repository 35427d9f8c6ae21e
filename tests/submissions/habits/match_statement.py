# habit: match, in a function and at the top level
# %% 1.2
match torch.__version__.split("."):
    case [major, *rest] if int(major) >= 1:
        LEVELS = 256
    case _:
        LEVELS = 0


def asymmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    top = LEVELS // 2 ** (8 - bits) - 1
    lo, hi = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    match bool(hi == lo):
        case True:
            scale = torch.ones_like(hi)
        case False:
            scale = (hi - lo) / top
    zero_point = torch.round(-lo / scale).clamp(0, top).int()
    return (torch.round(x / scale) + zero_point).clamp(0, top).to(torch.uint8), scale, zero_point
