# loses: 2.1/values
# mistake: takes least and largest as they are: zero may lie outside the range
class MinMaxCalibrator(MinMaxCalibrator):
    def quantization_parameters(self):
        if self.lo is None:
            raise RuntimeError("nothing was observed")
        if self.symmetric:
            return super().quantization_parameters()
        highest = 2**self.bits - 1
        width = self.hi - self.lo
        scale = torch.where(width == 0, torch.ones_like(width), width / highest)
        return scale, torch.round(-self.lo / scale).clamp(0, highest).to(torch.int32)
