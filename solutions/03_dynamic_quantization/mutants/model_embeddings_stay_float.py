# loses: 3.3/values
# mistake: only the linear layers are quantized, as PyTorch's own quantize_dynamic does it
def quantize_model_dynamic(model):
    quantized = copy.deepcopy(model)
    for name, module in list(quantized.named_modules()):
        if isinstance(module, (nn.Linear, Conv1D)):
            quantized.set_submodule(name, DynamicQuantizedLinear.from_float(module))
    return quantized
