# loses: 2.1/state 2.5/state
# mistake: sorts the caller's tensor in place to read off both ends
class MinMaxCalibrator(MinMaxCalibrator):
    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach()
        if x.is_contiguous() and x.dim():
            x.view(-1).copy_(x.reshape(-1).sort().values)
        lo, hi = x.float().aminmax()
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)
