# habit: parameters in a dataclass and in a namedtuple
# %% 1.1
from collections import namedtuple
from dataclasses import dataclass, field

Range = namedtuple("Range", "lo hi")


@dataclass(frozen=True)
class Settings:
    bits: int = 8
    ranges: dict[int, Range] = field(default_factory=lambda: {b: Range(-(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in range(2, 9)})

    @property
    def hi(self):
        return self.ranges[self.bits].hi


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    settings = Settings(bits)
    scale = x.abs().amax() / settings.hi
    scale = torch.where(scale == 0, 1.0, scale)
    return torch.round(x / scale).clamp(*settings.ranges[bits]).to(torch.int8), scale

# %% 1.4
@dataclass
class BasicQuantizer:
    bits: int = 8
    symmetric: bool = True
    scale: "torch.Tensor | None" = None
    zero_point: int = 0

    def calibrate(self, data):
        if self.symmetric:
            _, self.scale = symmetric_quantization(data, self.bits)
        else:
            _, self.scale, self.zero_point = asymmetric_quantization(data, self.bits)

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("calibrate first")
        if self.symmetric:
            return to_signed(tensor.float(), self.scale, self.bits)
        q = torch.round(tensor.float() / self.scale) + self.zero_point
        return q.clamp(0, 2**self.bits - 1).to(torch.uint8)

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("calibrate first")
        return dequantize(q_tensor, self.scale, self.zero_point)
