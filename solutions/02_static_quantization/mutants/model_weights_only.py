# loses: 2.5/artifact 2.6/values
# mistake: leaves the activations of a transformer in float; only plain stacks of layers are static
_static = quantize_model_static


class _WeightOnly(StaticQuantizedLinear):
    def forward(self, x):
        y = (x.double() @ self.weight.double().T * self.weight_scale.double()).float()
        return y if self.bias is None else y + self.bias


def quantize_model_static(model, batches):
    quantized = _static(model, batches)
    if not isinstance(model, nn.Sequential):
        for module in quantized.modules():
            if isinstance(module, StaticQuantizedLinear):
                module.__class__ = _WeightOnly
    return quantized
