# loses: 2.1/values 2.5/values
# mistake: keeps the range on the class: all calibrators share one
class MinMaxCalibrator:
    lo, hi = torch.tensor(float("inf")), torch.tensor(float("-inf"))

    def __init__(self, bits=8, symmetric=False):
        require_bits(bits)
        self.bits, self.symmetric = bits, symmetric

    def observe(self, tensor):
        require_finite(tensor)
        MinMaxCalibrator.lo = torch.minimum(self.lo.to(tensor.device), tensor.float().min())
        MinMaxCalibrator.hi = torch.maximum(self.hi.to(tensor.device), tensor.float().max())

    def quantization_parameters(self):
        if self.lo > self.hi:
            raise RuntimeError("nothing was observed")
        lo, hi = self.lo.clamp(max=0), self.hi.clamp(min=0)
        if self.symmetric:
            scale = torch.maximum(-lo, hi) / (2 ** (self.bits - 1) - 1)
            return scale.masked_fill(scale == 0, 1.0), 0
        scale = (hi - lo) / (2**self.bits - 1)
        scale = scale.masked_fill(scale == 0, 1.0)
        return scale, torch.round(-lo / scale).clamp(0, 2**self.bits - 1).to(torch.int32)
