# loses: 1.4/errors
# mistake: bits are checked when symmetric alone
class BasicQuantizer:
    def __init__(self, bits=8, symmetric=True):
        if symmetric:
            require_bits(bits)
        self.bits = bits
        self.symmetric = symmetric
        self.scale = None
        self.zero_point = 0
        if symmetric:
            self.qmin, self.qmax, self.dtype = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, torch.int8
        else:
            self.qmin, self.qmax, self.dtype = 0, 2**bits - 1, torch.uint8

    def calibrate(self, data):
        require_finite(data)
        x = data.float()
        if self.symmetric:
            self.scale = (x.abs().max() / self.qmax).clamp(min=1e-12)
        else:
            lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
            self.scale = ((hi - lo) / self.qmax).clamp(min=1e-12)
            self.zero_point = int(torch.round(-lo / self.scale).clamp(0, self.qmax))

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        q = torch.round(tensor.float() / self.scale) + self.zero_point
        return q.clamp(self.qmin, self.qmax).to(self.dtype)

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        return (q_tensor.float() - self.zero_point) * self.scale
