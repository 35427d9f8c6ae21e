# loses: 4.2/errors
# mistake: answers 1 before anything was observed
_searched_parameters = KLCalibrator.quantization_parameters


def _one_without_data(self):
    return _searched_parameters(self) if self.seen else (torch.tensor(1.0), 0)


KLCalibrator.quantization_parameters = _one_without_data
