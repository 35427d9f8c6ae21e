# loses: 1.4/inputs
# mistake: keeps its scale on the CPU, and moves data there to quantize it
class BasicQuantizer:
    def __init__(self, bits=8, symmetric=True):
        require_bits(bits)
        self.bits, self.symmetric = bits, symmetric
        self.scale, self.zero_point = None, 0
        self.qmin, self.qmax = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)
        self.dtype = torch.int8 if symmetric else torch.uint8

    def calibrate(self, data):
        require_finite(data)
        x = data.float().cpu()
        lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
        width = torch.maximum(-lo, hi) if self.symmetric else hi - lo
        self.scale = (width / self.qmax).clamp(min=1e-12)
        self.zero_point = 0 if self.symmetric else int(torch.round(-lo / self.scale).clamp(0, self.qmax))

    def quantize(self, tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        q = torch.round(tensor.float().cpu() / self.scale) + self.zero_point
        return q.clamp(self.qmin, self.qmax).to(self.dtype)

    def dequantize(self, q_tensor):
        if self.scale is None:
            raise RuntimeError("call calibrate first")
        return (q_tensor.float().cpu() - self.zero_point) * self.scale
