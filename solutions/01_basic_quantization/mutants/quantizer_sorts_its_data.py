# loses: 1.4/state
# mistake: sorts the calibration data in place to read off both ends
class BasicQuantizer(BasicQuantizer):
    def calibrate(self, data):
        super().calibrate(data)
        if data.is_contiguous() and data.dim():
            flat = data.view(-1)
            flat.copy_(flat.sort().values)
