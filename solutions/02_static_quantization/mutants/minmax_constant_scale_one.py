# loses: 2.1/extremes
# mistake: guards hi == lo with a scale of 1 before the range is widened: constant data is no zeros
_of_any_range = MinMaxCalibrator


class MinMaxCalibrator(_of_any_range):
    def quantization_parameters(self):
        if self.lo is not None and self.lo == self.hi:
            return torch.ones_like(self.lo), 0
        return super().quantization_parameters()
