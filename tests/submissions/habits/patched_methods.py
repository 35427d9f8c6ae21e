# habit: methods put onto the class after it was defined, in several ways
# %% 1.4
class BasicQuantizer:
    scale = None
    zero_point = 0

    def __init__(self, bits=8, symmetric=True):
        self.bits, self.symmetric = bits, symmetric

# %%
def calibrate(self, data):
    if self.symmetric:
        _, self.scale = symmetric_quantization(data, self.bits)
    else:
        _, self.scale, self.zero_point = asymmetric_quantization(data, self.bits)


BasicQuantizer.calibrate = calibrate

# %%
def method_of(cls):
    def attach(function):
        setattr(cls, function.__name__, function)
        return function

    return attach


@method_of(BasicQuantizer)
def quantize(self, tensor):
    self.need_scale()
    if self.symmetric:
        return to_signed(tensor.float(), self.scale, self.bits)
    q = torch.round(tensor.float() / self.scale) + self.zero_point
    return q.clamp(0, 2**self.bits - 1).to(torch.uint8)

# %%
def need_scale(self):
    if self.scale is None:
        raise RuntimeError("calibrate first")


for cls in (BasicQuantizer,):
    cls.need_scale = need_scale
setattr(BasicQuantizer, "dequantize", lambda self, q: (self.need_scale(), dequantize(q, self.scale, self.zero_point))[1])
quantizer = BasicQuantizer()
quantizer.calibrate(torch.randn(3, 4))
