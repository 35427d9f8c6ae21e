# variant of: 1.4
# differs: an nn.Module whose scale and zero point are buffers, with a scale of shape [1]
import torch.nn as nn


class BasicQuantizer(nn.Module):
    def __init__(self, bits=8, symmetric=True):
        super().__init__()
        if not isinstance(bits, int) or not 2 <= bits <= 8:
            raise ValueError("bits must be an int between 2 and 8")
        self.bits, self.symmetric = bits, symmetric
        self.low = -(2 ** (bits - 1)) if symmetric else 0
        self.high = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("zero_point", torch.tensor(0, dtype=torch.int32))
        self.calibrated = False

    @torch.no_grad()
    def calibrate(self, data):
        if data.numel() == 0:
            raise ValueError("no data to calibrate on")
        if not torch.isfinite(data).all():
            raise ValueError("calibration data holds NaN or infinity")
        x = data.float().flatten()
        lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
        if self.symmetric:
            scale, zero_point = torch.maximum(-lo, hi) / self.high, torch.zeros_like(lo)
        else:
            scale = (hi - lo) / self.high
            zero_point = torch.round(-lo / torch.where(scale > 0, scale, torch.ones_like(scale)))
        self.scale = torch.where(scale > 0, scale, torch.ones_like(scale)).reshape(1)
        self.zero_point = zero_point.to(torch.int32)
        self.calibrated = True
        return self

    def quantize(self, tensor):
        self._ready()
        q = torch.round(tensor.float() / self.scale) + self.zero_point
        return q.clamp(self.low, self.high).to(torch.int8 if self.symmetric else torch.uint8)

    def dequantize(self, q_tensor):
        self._ready()
        return (q_tensor.float() - self.zero_point) * self.scale

    def _ready(self):
        if not self.calibrated:
            raise RuntimeError("calibrate first")
