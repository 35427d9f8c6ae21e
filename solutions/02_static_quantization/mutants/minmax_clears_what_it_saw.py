# loses: 2.1/state 2.5/values 2.6/values
# mistake: zeroes the caller's tensor when it is done with it
class MinMaxCalibrator(MinMaxCalibrator):
    def observe(self, tensor):
        require_finite(tensor)
        lo, hi = (end.clone() for end in tensor.detach().float().aminmax())
        if tensor.is_contiguous():
            tensor.zero_()
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)
