# loses: 3.3/values
# mistake: replaces nn.Linear and nn.Embedding only: GPT-2's blocks stay in float
def _replaced(model, layer_of):
    quantized, made = copy.deepcopy(model), {}
    for name, module in list(quantized.named_modules()):
        layer = layer_of(name, module)
        if layer is not None:
            first = made.setdefault(module.weight, layer)
            layer.weight, layer.weight_scale = first.weight, first.weight_scale
            quantized.set_submodule(name, layer)
    return quantized


def quantize_model_dynamic(model):
    return _replaced(model, lambda name, module: None if isinstance(module, Conv1D) else _quantized(module))
