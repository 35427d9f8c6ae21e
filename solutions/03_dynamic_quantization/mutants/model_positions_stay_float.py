# loses: 3.3/artifact
# mistake: leaves GPT-2's position embedding in float: it is small
_quantized_whole = quantize_model_dynamic


def quantize_model_dynamic(model):
    quantized = _quantized_whole(model)
    for name, module in model.named_modules():
        if name.endswith("wpe"):
            quantized.set_submodule(name, copy.deepcopy(module))
    return quantized
