# loses: 2.1/values
# mistake: takes max(x) for the largest magnitude when symmetric
class MinMaxCalibrator(MinMaxCalibrator):
    def quantization_parameters(self):
        if self.lo is not None and self.symmetric:
            scale = self.hi.clamp(min=0) / (2 ** (self.bits - 1) - 1)
            return scale.masked_fill(scale == 0, 1.0), 0
        return super().quantization_parameters()
