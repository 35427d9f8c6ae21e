# variant of: 1.1
# differs: multiplies by the inverse of the scale; the scale goes through a Python float
import math


def symmetric_quantization(tensor, bits=8):
    if type(bits) is not int or bits not in range(2, 9):
        raise ValueError("bits: 2 to 8")
    if not tensor.numel():
        raise ValueError("empty tensor")
    x = tensor.float()
    amax = x.norm(p=math.inf).item()
    if math.isnan(amax) or math.isinf(amax):
        raise ValueError("the tensor holds NaN or infinity")
    levels = 2 ** (bits - 1) - 1
    inverse = levels / amax if amax else 0.0
    q = torch.round(x * inverse).clamp_(-levels - 1, levels).to(torch.int8)
    return q, torch.tensor(amax / levels if amax else 1.0, dtype=torch.float32, device=x.device)
