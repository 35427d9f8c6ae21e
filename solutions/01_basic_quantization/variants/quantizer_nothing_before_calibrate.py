# variant of: 1.4
# differs: has no attributes scale and zero_point before calibrate makes them; who asks for them too early is told
class BasicQuantizer:
    def __init__(self, bits=8, symmetric=True):
        require_bits(bits)
        self.bits = bits
        self.symmetric = symmetric

    def calibrate(self, data):
        require_finite(data)
        x = data.detach().float()
        if self.symmetric:
            self.scale, self.zero_point = _symmetric_scale(x.abs().amax(), self.bits), 0
        else:
            self.scale, self.zero_point = _asymmetric_parameters(x, self.bits)

    def __getattr__(self, name):
        if name in ("scale", "zero_point"):
            raise RuntimeError("call calibrate first")
        raise AttributeError(name)

    def quantize(self, tensor):
        scale, zero_point, x = self.scale, self.zero_point, tensor.detach().float()
        if self.symmetric:
            return _nearest_signed_level(x, scale, self.bits)
        return _nearest_unsigned_level(x, scale, zero_point, self.bits)

    def dequantize(self, q_tensor):
        return dequantize(q_tensor, self.scale, self.zero_point)
