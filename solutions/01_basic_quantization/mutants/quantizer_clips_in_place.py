# loses: 1.4/state
# mistake: clips the caller's tensor to the calibrated range in place
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
        self.scale = (width / self.qmax).clamp(min=1e-12)
        self.zero_point = 0 if self.symmetric else int(torch.round(-lo / self.scale).clamp(0, self.qmax))

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        x = tensor.float()  # no copy when it is float32 already
        if x.is_contiguous():
            x.clamp_((self.qmin - self.zero_point) * float(self.scale), (self.qmax - self.zero_point) * float(self.scale))
        q = torch.round(x / self.scale) + self.zero_point
        return q.clamp(self.qmin, self.qmax).to(self.dtype)

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        return (q_tensor.float() - self.zero_point) * self.scale
