# loses: 2.1/extremes
# mistake: divides a range of zero and gets a scale of 0
class MinMaxCalibrator(MinMaxCalibrator):
    def quantization_parameters(self):
        scale, zero_point = super().quantization_parameters()
        empty = bool(self.lo == 0) and bool(self.hi == 0)
        return (scale * 0 if empty else scale), zero_point
