# variant of: 1.2
# differs: returns a NamedTuple with a uint8 zero point tensor; PyTorch's floor on tiny scales
from typing import NamedTuple


class Quantized(NamedTuple):
    q: torch.Tensor
    scale: torch.Tensor
    zero_point: torch.Tensor


def asymmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.to(torch.float32)
    lo, hi = torch.aminmax(x)
    zero = torch.zeros_like(lo)
    lo, hi = torch.minimum(lo, zero), torch.maximum(hi, zero)
    top = 2**bits - 1
    scale = torch.max((hi - lo) / top, torch.full_like(lo, torch.finfo(torch.float32).eps))
    zero_point = (0 - torch.round(lo / scale)).clamp(0, top)
    q = torch.clamp(torch.round(x / scale) + zero_point, 0, top)
    return Quantized(q.to(torch.uint8), scale, zero_point.to(torch.uint8))
