# loses: 4.1/values
# mistake: symmetric: the percentile of x instead of |x|
def quantization_parameters(self):
    if self.counts is None:
        raise RuntimeError("nothing was observed")
    if not self.symmetric:
        return _asymmetric(self)
    threshold = _quantile(self.counts, self.percentile / 100, 0)
    return _usable(threshold / (2 ** (self.bits - 1) - 1)), 0


_asymmetric = PercentileCalibrator.quantization_parameters
PercentileCalibrator.quantization_parameters = quantization_parameters
