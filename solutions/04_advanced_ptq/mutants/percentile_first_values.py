# loses: 4.1/values
# mistake: keeps the first 60,000 values and ignores the rest
def _of(x, share):
    k = max(1, min(x.numel(), round(share * x.numel())))
    return x.kthvalue(k).values


class PercentileCalibrator:
    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.seen = None

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().float().flatten()
        self.seen = (x if self.seen is None else torch.cat([self.seen, x]))[:60_000].clone()

    def quantization_parameters(self):
        if self.seen is None:
            raise RuntimeError("nothing was observed")
        share = self.percentile / 100
        rest = (1 - share) / 2
        threshold = _of(self.seen.abs(), share)
        lo, hi = _of(self.seen, rest).clamp(max=0.0), _of(self.seen, 1 - rest).clamp(min=0.0)
        if self.symmetric:
            return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
