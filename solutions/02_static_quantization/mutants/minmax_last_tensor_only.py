# loses: 2.1/values
# mistake: each tensor replaces the range instead of widening it (2.5 is made with the right one)
class _Right(MinMaxCalibrator):
    pass


class MinMaxCalibrator(_Right):
    def observe(self, tensor):
        self.lo = self.hi = None
        super().observe(tensor)


def quantize_model_static(model, batches):
    return _with_quantized_layers(model, calibrate_model(model, batches, _Right))
