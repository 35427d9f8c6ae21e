# loses: 3.3/values
# mistake: int8 weights, restored in each forward pass, and activations in float
class _WeightsOnly(DynamicQuantizedLinear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.weight_scale[:, None], self.bias)


def quantize_model_dynamic(model):
    quantized, made = copy.deepcopy(model), {}
    for name, module in list(quantized.named_modules()):
        layer = _WeightsOnly.from_float(module) if isinstance(module, (nn.Linear, Conv1D)) else _quantized(module)
        if layer is not None:
            first = made.setdefault(module.weight, layer)
            layer.weight, layer.weight_scale = first.weight, first.weight_scale
            quantized.set_submodule(name, layer)
    return quantized
