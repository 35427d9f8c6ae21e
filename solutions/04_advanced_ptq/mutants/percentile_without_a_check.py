# loses: 4.1/errors
# mistake: counts NaN and infinity like any other value
def observe(self, tensor):
    counts = torch.bincount(_bin_of(tensor.detach().float().flatten()).clamp(0, 2 * _SIDE), minlength=2 * _SIDE + 1)
    self.counts = counts if self.counts is None else self.counts + counts


PercentileCalibrator.observe = observe
