# loses: 4.1/inputs 4.1/state
# mistake: clips the outliers in the caller's own tensor once they are counted
class PercentileCalibrator(PercentileCalibrator):
    def observe(self, tensor):
        super().observe(tensor)
        tensor.clamp_(-1.0, 1.0)
