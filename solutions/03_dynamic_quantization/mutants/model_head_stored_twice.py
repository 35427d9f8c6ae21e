# loses: 3.3/artifact
# mistake: quantizes the tied head by itself: equal integers in two tensors
def quantize_model_dynamic(model):
    quantized = copy.deepcopy(model)
    for name, module in list(quantized.named_modules()):
        layer = _quantized(module)
        if layer is not None:
            quantized.set_submodule(name, layer)
    return quantized
