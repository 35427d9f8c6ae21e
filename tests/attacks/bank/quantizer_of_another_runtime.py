# category: banned call
# wins if: points
# naive: wins
# cpu: 6
"""Uses the quantizer of ONNX's reference implementation."""
import torch
from onnx.reference.ops.op_quantize_linear import QuantizeLinear_10


def asymmetric_quantization(tensor, bits=8):
    lo, hi = tensor.min().clamp(max=0), tensor.max().clamp(min=0)
    scale = (hi - lo) / (2**bits - 1)
    zero_point = int(torch.round(-lo / scale))
    return torch.from_numpy(QuantizeLinear_10.eval(tensor.numpy(), scale.numpy(), torch.tensor(zero_point, dtype=torch.uint8).numpy())), scale, zero_point
