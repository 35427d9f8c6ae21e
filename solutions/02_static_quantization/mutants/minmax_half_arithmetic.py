# loses: 2.1/inputs
# mistake: divides in the data's own dtype: half precision has a half scale's digits
class MinMaxCalibrator(MinMaxCalibrator):
    def observe(self, tensor):
        require_finite(tensor)
        lo, hi = tensor.detach().aminmax()
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)

    def quantization_parameters(self):
        if self.lo is None:
            raise RuntimeError("nothing was observed")
        lo, hi = self.lo.clamp(max=0.0), self.hi.clamp(min=0.0)
        if self.symmetric:
            return _usable((torch.maximum(-lo, hi) / (2 ** (self.bits - 1) - 1)).float()), 0
        highest = 2**self.bits - 1
        scale = _usable(((hi - lo) / highest).float())
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
