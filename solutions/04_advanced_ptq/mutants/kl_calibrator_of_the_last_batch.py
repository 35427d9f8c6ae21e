# loses: 4.2/values
# mistake: remembers only the last tensor that it was shown
def observe(self, tensor):
    require_finite(tensor)
    self.seen = [tensor.detach().float().abs().flatten()]


KLCalibrator.observe = observe
