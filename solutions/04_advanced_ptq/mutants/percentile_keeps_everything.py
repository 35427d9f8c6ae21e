# loses: 4.1/values
# mistake: keeps all values and sorts them at the end: right, and out of memory on a real model
def _of(x, share):
    k = max(1, min(x.numel(), round(share * x.numel())))
    return x.kthvalue(k).values


class PercentileCalibrator:
    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.seen = []

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().float().flatten()
        self.seen.append(x.clone())

    def quantization_parameters(self):
        if not self.seen:
            raise RuntimeError("nothing was observed")
        x = torch.cat(self.seen)
        share = self.percentile / 100
        rest = (1 - share) / 2
        threshold = _of(x.abs(), share)
        lo, hi = _of(x, rest).clamp(max=0.0), _of(x, 1 - rest).clamp(min=0.0)
        if self.symmetric:
            return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
