# loses: 4.1/inputs 4.1/state
# mistake: takes the magnitudes in the caller's own tensor
class PercentileCalibrator(PercentileCalibrator):
    def observe(self, tensor):
        super().observe(tensor)
        tensor.abs_()
