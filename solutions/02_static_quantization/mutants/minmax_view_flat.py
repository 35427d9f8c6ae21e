# loses: 2.1/inputs 2.5/values 2.6/values
# mistake: flattens with view, which a transposed tensor refuses
class MinMaxCalibrator(MinMaxCalibrator):
    def observe(self, tensor):
        require_finite(tensor)
        flat = tensor.detach().float().view(-1)
        lo, hi = flat.min(), flat.max()
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)
