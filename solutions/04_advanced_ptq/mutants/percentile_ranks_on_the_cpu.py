# loses: 4.1/inputs
# mistake: moves the data to the CPU to count it
class PercentileCalibrator(PercentileCalibrator):
    def observe(self, tensor):
        super().observe(tensor.cpu())
