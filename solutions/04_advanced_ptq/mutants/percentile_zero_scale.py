# loses: 4.1/extremes
# mistake: does not guard against data that is all zero: the scale is 0
class PercentileCalibrator(PercentileCalibrator):
    def quantization_parameters(self):
        scale, zero_point = super().quantization_parameters()
        zeros = self.counts is not None and int(self.counts[_SIDE]) == int(self.counts.sum())
        return (torch.zeros(()) if zeros else scale), zero_point
