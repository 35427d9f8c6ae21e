# loses: 4.1/values
# mistake: takes the largest of the batches' percentiles
def _of(x, share):
    k = max(1, min(x.numel(), round(share * x.numel())))
    return x.kthvalue(k).values


class PercentileCalibrator:
    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.t, self.lo, self.hi = [], [], []

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().float().flatten()
        share = self.percentile / 100
        rest = (1 - share) / 2
        self.t.append(_of(x.abs(), share))
        self.lo.append(_of(x, rest))
        self.hi.append(_of(x, 1 - rest))

    def quantization_parameters(self):
        if not self.t:
            raise RuntimeError("nothing was observed")
        threshold = torch.stack(self.t).amax()
        lo = torch.stack(self.lo).amin().clamp(max=0.0)
        hi = torch.stack(self.hi).amax().clamp(min=0.0)
        if self.symmetric:
            return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
