# loses: 4.1/values
# mistake: 256 bins that grow with the range: one far value makes them too coarse
class PercentileCalibrator:
    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.counts, self.bins = None, 256

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().float().flatten()
        top = float(x.abs().max())
        if self.counts is None:
            self.top, self.counts = max(top, 1e-30), torch.zeros(self.bins, device=x.device, dtype=torch.float64)
        while top > self.top:
            quarter = torch.zeros(self.bins // 4, device=x.device, dtype=torch.float64)
            self.counts = torch.cat([quarter, self.counts.reshape(-1, 2).sum(1), quarter])
            self.top *= 2
        self.counts += torch.histc(x, self.bins, -self.top, self.top).double()

    def quantization_parameters(self):
        if self.counts is None:
            raise RuntimeError("nothing was observed")
        share = self.percentile / 100
        rest = (1 - share) / 2
        middle = self.bins // 2
        magnitudes = self.counts[middle:] + self.counts[:middle].flip(0)
        step = 2 * self.top / self.bins

        def upper(counts, share, start):
            return start + step * (1 + torch.searchsorted(counts.cumsum(0), share * counts.sum()).float())

        threshold = upper(magnitudes, share, 0.0)
        lo = (upper(self.counts, rest, -self.top) - step).clamp(max=0.0)
        hi = upper(self.counts, 1 - rest, -self.top).clamp(min=0.0)
        if self.symmetric:
            return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
