# loses: 4.1/inputs
# mistake: `view` instead of `flatten`: transposed tensors and slices are refused
_observe_flat = PercentileCalibrator.observe


def observe(self, tensor):
    _observe_flat(self, tensor.view(-1))


PercentileCalibrator.observe = observe
