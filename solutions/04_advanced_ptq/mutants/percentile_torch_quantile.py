# loses: 4.1/values
# mistake: torch.quantile of all that was kept: fails above 2^24 values
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
        threshold = torch.quantile(x.abs(), share)
        lo = torch.quantile(x, rest).clamp(max=0.0)
        hi = torch.quantile(x, 1 - rest).clamp(min=0.0)
        if self.symmetric:
            return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
