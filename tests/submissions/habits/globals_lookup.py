# habit: names made and looked up through globals() and exec
# %% 1.1
for bits in range(2, 9):
    globals()[f"TOP_{bits}"] = 2 ** (bits - 1) - 1
exec("def usable(scale):\n    return torch.where(scale == 0, 1.0, scale)")


def rule_for_scale(x, bits):
    return x.abs().amax() / globals()[f"TOP_{bits}"]


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = usable(globals()["rule_for_scale"](x, bits))
    return to_signed(x, scale, bits), scale
