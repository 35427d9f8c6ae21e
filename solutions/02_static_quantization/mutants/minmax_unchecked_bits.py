# loses: 2.1/errors
# mistake: takes any number of bits
class MinMaxCalibrator(MinMaxCalibrator):
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric = bits, symmetric
        self.lo = self.hi = None

    def quantization_parameters(self):
        if self.lo is None:
            raise RuntimeError("nothing was observed")
        lo, hi = self.lo.clamp(max=0.0), self.hi.clamp(min=0.0)
        if self.symmetric:
            return _usable(torch.maximum(-lo, hi) / ((2.0 ** (self.bits - 1) - 1) or 1.0)), 0
        highest = (2.0**self.bits - 1) or 1.0
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
