# loses: 3.3/values
# mistake: one scale for a whole weight
def _replaced(model, layer_of):
    quantized, made = copy.deepcopy(model), {}
    for name, module in list(quantized.named_modules()):
        layer = layer_of(name, module)
        if layer is not None:
            first = made.setdefault(module.weight, layer)
            layer.weight, layer.weight_scale = first.weight, first.weight_scale
            quantized.set_submodule(name, layer)
    return quantized


class _PerTensor(DynamicQuantizedLinear):
    @classmethod
    def from_float(cls, layer):
        weight = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
        codes, scale = _codes_and_scale(weight, granularity="per_tensor")
        return cls(codes.contiguous(), scale.expand(len(weight)).clone(), layer.bias)


def _layer(name, module):
    if isinstance(module, (nn.Linear, Conv1D)):
        return _PerTensor.from_float(module)
    return _quantized(module)


def quantize_model_dynamic(model):
    return _replaced(model, _layer)
