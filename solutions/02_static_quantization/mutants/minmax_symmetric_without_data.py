# loses: 2.1/errors
# mistake: a symmetric calibrator that has seen nothing takes the range for zero
class MinMaxCalibrator(MinMaxCalibrator):
    def quantization_parameters(self):
        try:
            return super().quantization_parameters()
        except RuntimeError:
            if self.symmetric:
                return torch.tensor(1.0), 0
            raise
