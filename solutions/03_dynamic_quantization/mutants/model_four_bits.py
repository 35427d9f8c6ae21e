# loses: 3.3/values
# mistake: weights of 4 bits, rounded to nearest
def _replaced(model, layer_of):
    quantized, made = copy.deepcopy(model), {}
    for name, module in list(quantized.named_modules()):
        layer = layer_of(name, module)
        if layer is not None:
            first = made.setdefault(module.weight, layer)
            layer.weight, layer.weight_scale = first.weight, first.weight_scale
            quantized.set_submodule(name, layer)
    return quantized


def _layer(name, module):
    if not isinstance(module, (nn.Linear, Conv1D)):
        return _quantized(module)
    codes, scale = _codes_and_scale(module.weight.T if isinstance(module, Conv1D) else module.weight, bits=4)
    return DynamicQuantizedLinear(codes.contiguous(), scale.squeeze(-1), module.bias)


def quantize_model_dynamic(model):
    return _replaced(model, _layer)
