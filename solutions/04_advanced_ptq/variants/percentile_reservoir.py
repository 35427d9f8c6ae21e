# variant of: 4.1
# differs: an exchangeable random sample of 2^18 values: those with the largest random keys
def _of(x, share):
    k = max(1, min(x.numel(), round(share * x.numel())))
    return x.kthvalue(k).values


class PercentileCalibrator:
    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.values = None
        self.generator = torch.Generator().manual_seed(5)

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().float().flatten()
        keys = torch.rand(x.numel(), generator=self.generator).to(x.device)
        self.values, self.keys = (x, keys) if self.values is None else (torch.cat([self.values, x]), torch.cat([self.keys, keys]))
        if self.keys.numel() > 1 << 18:
            kept = self.keys.topk(1 << 18).indices
            self.values, self.keys = self.values[kept], self.keys[kept]

    def quantization_parameters(self):
        if self.values is None:
            raise RuntimeError("nothing was observed")
        share = self.percentile / 100
        rest = (1 - share) / 2
        threshold = _of(self.values.abs(), share)
        lo, hi = _of(self.values, rest).clamp(max=0.0), _of(self.values, 1 - rest).clamp(min=0.0)
        if self.symmetric:
            return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
