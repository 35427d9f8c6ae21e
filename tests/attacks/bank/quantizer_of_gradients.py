# category: banned call
# wins if: points
# naive: wins
# cpu: 6
"""Uses the quantizer with which torch compresses gradients on their way to other machines."""
import torch
from torch.distributed.algorithms.ddp_comm_hooks.quantization_hooks import _quantize_per_tensor_backend


def asymmetric_quantization(tensor, bits=8):
    lo, hi = tensor.min().clamp(max=0), tensor.max().clamp(min=0)
    scale = (hi - lo) / (2**bits - 1)
    zero_point = int(torch.round(-lo / scale))
    return _quantize_per_tensor_backend(tensor, scale, zero_point), scale, zero_point
