# variant of: 1.4
# differs: a dataclass that delegates to the functions of 1.1 to 1.3, and checks bits on first use
from dataclasses import dataclass
from typing import Any


@dataclass
class BasicQuantizer:
    bits: int = 8
    symmetric: bool = True
    scale: Any = None
    zero_point: Any = 0

    def calibrate(self, data):
        if self.symmetric:
            _, self.scale = symmetric_quantization(data, self.bits)
            self.zero_point = 0
        else:
            _, self.scale, self.zero_point = asymmetric_quantization(data, bits=self.bits)

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("BasicQuantizer.calibrate has not been called")
        levels = torch.round(tensor.float() / self.scale) + self.zero_point
        if self.symmetric:
            top = 2 ** (self.bits - 1) - 1
            return levels.clamp(-top, top).to(torch.int8)
        return levels.clamp(0, 2**self.bits - 1).to(torch.uint8)

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("BasicQuantizer.calibrate has not been called")
        return dequantize(q_tensor, self.scale, self.zero_point)
