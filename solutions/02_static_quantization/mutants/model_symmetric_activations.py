# loses: 2.5/values
# mistake: a symmetric range for the activations: one-sided ones use half of the levels
class _Symmetric(MinMaxCalibrator):
    def quantization_parameters(self):
        largest = torch.maximum(-self.lo, self.hi)
        return (largest / 127).masked_fill(largest == 0, 1.0), 128


def quantize_model_static(model, batches):
    return _with_quantized_layers(model, calibrate_model(model, batches, _Symmetric))
