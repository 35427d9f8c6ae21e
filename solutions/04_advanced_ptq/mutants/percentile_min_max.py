# loses: 4.1/values
# mistake: takes the whole range: the percentile is stored and never used
class PercentileCalibrator:
    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.lo = self.hi = None

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().float().flatten()
        lo, hi = x.aminmax()
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)

    def quantization_parameters(self):
        if self.lo is None:
            raise RuntimeError("nothing was observed")
        lo, hi = self.lo.clamp(max=0.0), self.hi.clamp(min=0.0)
        threshold = torch.maximum(-self.lo, self.hi)
        if self.symmetric:
            return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
