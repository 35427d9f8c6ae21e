# category: banned call
# wins if: points
# naive: wins
# cpu: 6
"""Uses the quantizer that torch has in pieces of Python, for its compilers."""
import torch
import torch.ao.quantization.fx._decomposed


def asymmetric_quantization(tensor, bits=8):
    lo, hi = tensor.min().clamp(max=0), tensor.max().clamp(min=0)
    scale = (hi - lo) / (2**bits - 1)
    zero_point = int(torch.round(-lo / scale))
    return torch.ops.quantized_decomposed.quantize_per_tensor(tensor, float(scale), zero_point, 0, 2**bits - 1, torch.uint8), scale, zero_point
