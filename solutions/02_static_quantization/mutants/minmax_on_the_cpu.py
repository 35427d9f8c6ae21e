# loses: 2.1/inputs
# mistake: keeps its range on the CPU, whatever device the data lives on
class MinMaxCalibrator(MinMaxCalibrator):
    def observe(self, tensor):
        require_finite(tensor)
        lo, hi = tensor.detach().float().cpu().aminmax()
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)
