# loses: 2.5/state
# mistake: makes a shallow copy: what stays in float is one with the model that was handed over
def quantize_model_static(model, batches):
    parameters = calibrate_model(model, batches, MinMaxCalibrator)
    shared = {id(parameter): parameter for parameter in model.parameters() if parameter.dim() == 1}
    quantized = copy.deepcopy(model, dict(shared))
    for name, module in list(quantized.named_modules()):
        if name in parameters:
            quantized.set_submodule(name, StaticQuantizedLinear.from_float(module, *parameters[name]))
        elif isinstance(module, nn.Embedding):
            quantized.set_submodule(name, QuantizedEmbedding.from_float(module))
    return quantized
