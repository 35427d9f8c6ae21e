# loses: 1.4/extremes
# mistake: has a scale of 0 for zeros, and stores and restores NaN
class BasicQuantizer:
    def __init__(self, bits=8, symmetric=True):
        require_bits(bits)
        self.bits, self.symmetric = bits, symmetric
        self.scale, self.zero_point = None, 0
        self.qmin, self.qmax = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)
        self.dtype = torch.int8 if symmetric else torch.uint8

    def calibrate(self, data):
        require_finite(data)
        x = data.float()
        lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
        width = torch.maximum(-lo, hi) if self.symmetric else hi - lo
        self.scale = (width / self.qmax)
        self.zero_point = 0 if self.symmetric else int(torch.nan_to_num(torch.round(-lo / self.scale)).clamp(0, self.qmax))

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        q = torch.round(tensor.float() / self.scale) + self.zero_point
        return q.clamp(self.qmin, self.qmax).to(self.dtype)

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        return (q_tensor.float() - self.zero_point) * self.scale
