# loses: 4.1/errors
# mistake: answers 1 before anything was observed
_ranked_parameters = PercentileCalibrator.quantization_parameters


def _one_without_data(self):
    return (torch.tensor(1.0), 0) if self.counts is None else _ranked_parameters(self)


PercentileCalibrator.quantization_parameters = _one_without_data
