# habit: the graded class inherits from a base of one's own, which keeps a register of its children
# %% base
from abc import ABC, abstractmethod

CHILDREN = {}


class Base(ABC):
    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        CHILDREN[cls.__name__] = cls

    def __init__(self, bits=8, symmetric=True):
        self.bits, self.symmetric, self.scale, self.zero_point = bits, symmetric, None, 0

    @abstractmethod
    def calibrate(self, data): ...

    def ready(self):
        if self.scale is None:
            raise RuntimeError("calibrate first")


class Signed(Base):
    def calibrate(self, data):
        _, self.scale = symmetric_quantization(data, self.bits)

    def quantize(self, x):
        self.ready()
        return to_signed(x.float(), self.scale, self.bits)


class Unsigned(Base):
    def calibrate(self, data):
        _, self.scale, self.zero_point = asymmetric_quantization(data, self.bits)

    def quantize(self, x):
        self.ready()
        return (torch.round(x.float() / self.scale) + self.zero_point).clamp(0, 2**self.bits - 1).to(torch.uint8)

# %% 1.4
class BasicQuantizer(Base):
    def calibrate(self, data):
        self.inner = CHILDREN["Signed" if self.symmetric else "Unsigned"](self.bits)
        self.inner.calibrate(data)
        self.scale, self.zero_point = self.inner.scale, self.inner.zero_point

    def quantize(self, tensor):
        self.ready()
        return self.inner.quantize(tensor)

    def dequantize(self, q_tensor):
        self.ready()
        return dequantize(q_tensor, self.scale, self.zero_point)
