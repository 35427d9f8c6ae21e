# habit: functools.partial makes the graded functions
# %% 1.1
import functools
from functools import partial


def _quantize(tensor, bits=8, *, signed):
    x = checked(tensor, bits)
    if signed:
        scale = scale_for(x.abs().amax(), bits)
        return to_signed(x, scale, bits), scale
    lo, hi = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    scale = (hi - lo) / (2**bits - 1)
    scale = torch.where(scale == 0, 1.0, scale)
    zero_point = torch.round(-lo / scale).clamp(0, 2**bits - 1).int()
    return (torch.round(x / scale) + zero_point).clamp(0, 2**bits - 1).to(torch.uint8), scale, zero_point


symmetric_quantization = partial(_quantize, signed=True)

# %% 1.2
asymmetric_quantization = functools.partial(_quantize, signed=False)
