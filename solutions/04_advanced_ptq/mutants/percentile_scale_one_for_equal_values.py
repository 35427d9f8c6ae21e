# loses: 4.1/extremes
# mistake: takes scale 1 where all values are the same, as if only zeros were special in being equal
_observe_any = PercentileCalibrator.observe
_percentile_parameters = PercentileCalibrator.quantization_parameters


def observe(self, tensor):
    _observe_any(self, tensor)
    self.equal = getattr(self, "equal", True) and bool((tensor == tensor.flatten()[0]).all())


def quantization_parameters(self):
    scale, zero_point = _percentile_parameters(self)
    return (torch.ones_like(scale), 0) if self.equal else (scale, zero_point)


PercentileCalibrator.observe, PercentileCalibrator.quantization_parameters = observe, quantization_parameters
