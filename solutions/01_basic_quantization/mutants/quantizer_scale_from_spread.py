# loses: 1.4/extremes
# mistake: keeps the first scale when the new data has no spread
class BasicQuantizer(BasicQuantizer):
    def calibrate(self, data):
        before = self.zero_point
        super().calibrate(data)
        if data.max() == data.min():
            self.scale, self.zero_point = torch.full((), 1e-3, device=data.device), before
