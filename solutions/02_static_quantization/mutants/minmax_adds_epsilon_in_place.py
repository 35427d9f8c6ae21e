# loses: 2.1/state 2.5/state
# mistake: adds a tiny number to the caller's tensor in place, so that no range is empty
class MinMaxCalibrator(MinMaxCalibrator):
    def observe(self, tensor):
        super().observe(tensor)
        if tensor.is_contiguous():
            tensor.add_(1e-6)
