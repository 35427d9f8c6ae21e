# loses: 4.1/values
# mistake: asymmetric: cuts the whole rest off at either end
def _ends(self):
    share = self.percentile / 100
    rest, highest = 1 - share, 2**self.bits - 1
    lo = _quantile(self.counts, rest, 0).clamp(max=0.0)
    hi = _quantile(self.counts, 1 - rest, 0).clamp(min=0.0)
    scale = _usable((hi - lo) / highest)
    return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)


_symmetric = PercentileCalibrator.quantization_parameters


def quantization_parameters(self):
    return _symmetric(self) if self.symmetric or self.counts is None else _ends(self)


PercentileCalibrator.quantization_parameters = quantization_parameters
