# loses: 2.5/values 2.6/values
# mistake: replaces the linear layers only, as PyTorch's own quantize_dynamic does
def _with_quantized_layers(model, parameters):
    quantized = copy.deepcopy(model)
    for name in parameters:
        layer = StaticQuantizedLinear.from_float(quantized.get_submodule(name), *parameters[name])
        quantized.set_submodule(name, layer)
    return quantized
