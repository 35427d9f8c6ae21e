# loses: 3.3/values
# mistake: the layers of the blocks leave their input in float, the head does not
_quantized_everywhere = quantize_model_dynamic


class _WeightsOnly(DynamicQuantizedLinear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.weight_scale[:, None], self.bias)


def quantize_model_dynamic(model):
    quantized = _quantized_everywhere(model)
    for name, layer in list(quantized.named_modules()):
        if isinstance(layer, DynamicQuantizedLinear) and name != "lm_head":
            quantized.set_submodule(name, _WeightsOnly(layer.weight, layer.weight_scale, layer.bias))
    return quantized
