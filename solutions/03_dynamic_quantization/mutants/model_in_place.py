# loses: 3.3/state
# mistake: replaces the layers of the model that was handed over
def quantize_model_dynamic(model):
    made = {}
    for name, module in list(model.named_modules()):
        layer = _quantized(module)
        if layer is not None:
            first = made.setdefault(module.weight, layer)
            layer.weight, layer.weight_scale = first.weight, first.weight_scale
            model.set_submodule(name, layer)
    return model
