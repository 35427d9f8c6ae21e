# habit: an enum chooses the rule
# %% 1.4
from enum import Enum, IntEnum, auto


class Mode(Enum):
    SYMMETRIC = auto()
    ASYMMETRIC = auto()

    def levels(self, bits):
        return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if self is Mode.SYMMETRIC else (0, 2**bits - 1)


class Bits(IntEnum):
    LOW = 2
    HIGH = 8


STORED = {Mode.SYMMETRIC: torch.int8, Mode.ASYMMETRIC: torch.uint8}


class BasicQuantizer:
    def __init__(self, bits=Bits.HIGH.value, symmetric=True):
        self.bits, self.mode = bits, Mode.SYMMETRIC if symmetric else Mode.ASYMMETRIC
        self.scale, self.zero_point = None, 0

    def calibrate(self, data):
        if self.mode is Mode.SYMMETRIC:
            self.scale = symmetric_quantization(data, self.bits)[1]
        else:
            self.scale, self.zero_point = asymmetric_quantization(data, self.bits)[1:]

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("calibrate first")
        q = torch.round(tensor.float() / self.scale) + self.zero_point
        return q.clamp(*self.mode.levels(self.bits)).to(STORED[self.mode])

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("calibrate first")
        return dequantize(q_tensor, self.scale, self.zero_point)
