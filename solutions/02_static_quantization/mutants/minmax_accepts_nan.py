# loses: 2.1/errors
# mistake: skips the check for NaN, infinities and empty data
class MinMaxCalibrator(MinMaxCalibrator):
    def observe(self, tensor):
        lo, hi = tensor.detach().float().aminmax() if tensor.numel() else (torch.tensor(0.0), torch.tensor(0.0))
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)
