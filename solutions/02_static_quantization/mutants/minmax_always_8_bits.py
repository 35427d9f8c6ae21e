# loses: 2.1/values
# mistake: keeps bits and never looks at it
class MinMaxCalibrator(MinMaxCalibrator):
    def quantization_parameters(self):
        self.bits = 8
        return super().quantization_parameters()
