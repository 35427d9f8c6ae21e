# habit: a package that may be missing, with a fallback
# %% imports
try:
    import einops_that_is_not_installed as einops
except ImportError:
    einops = None

try:
    from fast_rounding_kernels import round_half_even
except ImportError:
    def round_half_even(x):
        return torch.round(x)

# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    q = round_half_even(x / scale).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).to(torch.int8)
    return (q if einops is None else einops.rearrange(q, "... -> ...")), scale
