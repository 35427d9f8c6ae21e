# category: banned call
# wins if: points
# naive: wins
"""Has an observer choose the parameters and a module from torch.ao quantize."""
import torch
from torch.ao.quantization import MinMaxObserver


def asymmetric_quantization(tensor, bits=8):
    observer = MinMaxObserver(dtype=torch.quint8, quant_min=0, quant_max=2**bits - 1)
    observer(tensor)
    scale, zero_point = observer.calculate_qparams()
    q = torch.quantize_per_tensor(tensor, float(scale), int(zero_point), torch.quint8).int_repr()
    return q, scale.reshape(()), int(zero_point)
