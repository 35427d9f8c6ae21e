# habit: functools.lru_cache on a helper, cleared and warmed at the top level
# %% 1.1
from functools import cache, lru_cache


@lru_cache(maxsize=None)
def limits(bits):
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


@cache
def top(bits):
    return limits(bits)[1]


limits.cache_clear()
limits(8)


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = x.abs().amax() / top(bits)
    scale = torch.where(scale == 0, 1.0, scale)
    return torch.round(x / scale).clamp(*limits(bits)).to(torch.int8), scale
