# loses: 1.4/extremes
# mistake: calibrating on constant data is answered with scale 1, as if it were all zero
class BasicQuantizer(BasicQuantizer):
    def calibrate(self, data):
        super().calibrate(data)
        if data.max() == data.min():
            self.scale, self.zero_point = torch.ones((), device=data.device), 0
