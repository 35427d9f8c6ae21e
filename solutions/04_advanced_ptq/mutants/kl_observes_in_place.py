# loses: 4.2/inputs 4.2/state
# mistake: takes the magnitudes in the caller's own tensor
class KLCalibrator(KLCalibrator):
    def observe(self, tensor):
        require_finite(tensor)
        self.seen.append(tensor.detach().abs_().flatten())
