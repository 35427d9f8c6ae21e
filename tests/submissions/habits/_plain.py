# A complete and plain answer to lab 01, a cell a task. A habit's file holds its own cells; those that carry a
# task's number stand in for the cell of that number here.

# %% setup
import torch


def checked(x, bits=8):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits must be an int from 2 to 8")
    if x.numel() == 0 or not torch.isfinite(x).all():
        raise ValueError("the tensor is empty or holds NaN or inf")
    return x.detach().float()


def scale_for(amax, bits):
    scale = amax / (2 ** (bits - 1) - 1)
    return torch.where(scale == 0, 1.0, scale)


def to_signed(x, scale, bits):
    return torch.round(x / scale).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).to(torch.int8)


# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale


# %% 1.2
def asymmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    lo, hi = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    top = 2**bits - 1
    scale = torch.where(hi == lo, 1.0, (hi - lo) / top)
    zero_point = torch.round(-lo / scale).clamp(0, top).to(torch.int32)
    return (torch.round(x / scale) + zero_point).clamp(0, top).to(torch.uint8), scale, zero_point


# %% 1.3
def dequantize(q, scale, zero_point=0):
    return (q.float() - zero_point) * scale


# %% 1.4
class BasicQuantizer:
    def __init__(self, bits=8, symmetric=True):
        self.bits, self.symmetric = bits, symmetric
        self.scale, self.zero_point = None, 0

    def calibrate(self, data):
        if self.symmetric:
            _, self.scale = symmetric_quantization(data, self.bits)
        else:
            _, self.scale, self.zero_point = asymmetric_quantization(data, self.bits)

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("calibrate first")
        x = tensor.detach().float()
        if self.symmetric:
            return to_signed(x, self.scale, self.bits)
        return (torch.round(x / self.scale) + self.zero_point).clamp(0, 2**self.bits - 1).to(torch.uint8)

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("calibrate first")
        return dequantize(q_tensor, self.scale, self.zero_point)


# %% 1.5
def per_channel_quantization(tensor, bits=8, axis=0):
    x = checked(tensor, bits)
    others = [d for d in range(x.dim()) if d != axis % x.dim()]
    scale = scale_for(x.abs().amax(dim=others, keepdim=True) if others else x.abs(), bits)
    return to_signed(x, scale, bits), scale


# %% 1.6
def group_quantization(weight, bits=4, group_size=128):
    w = checked(weight, bits)
    if w.shape[1] % group_size:
        raise ValueError("the input width is no multiple of group_size")
    groups = w.reshape(w.shape[0], -1, group_size)
    scale = scale_for(groups.abs().amax(dim=2), bits)
    return to_signed(groups, scale.unsqueeze(2), bits).reshape(w.shape), scale


# %% 1.7
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension is odd")
    if ((q < -8) | (q > 7)).any():
        raise ValueError("a value lies outside -8...7")
    nibbles = (q.to(torch.int16) & 15).to(torch.uint8)
    return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)


def unpack_int4(packed):
    nibbles = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(torch.int8)
    return torch.where(nibbles > 7, nibbles - 16, nibbles)


# %% 1.8
def compute_sqnr(original, restored):
    original, restored = original.float(), restored.float()
    noise = (original - restored).pow(2).sum()
    return torch.where(noise == 0, torch.inf, 10 * torch.log10(original.pow(2).sum() / noise))


def compute_cosine_sim(a, b):
    return torch.nn.functional.cosine_similarity(a.float().flatten(), b.float().flatten(), dim=0)


def compute_kl_div(original_logits, quantized_logits):
    p = torch.log_softmax(original_logits.float(), dim=-1)
    q = torch.log_softmax(quantized_logits.float(), dim=-1)
    return (p.exp() * (p - q)).sum(dim=-1).mean()
