# loses: 3.3/artifact
# mistake: leaves the smallest linear layer of Llama in float
_quantized_whole = quantize_model_dynamic


def quantize_model_dynamic(model):
    quantized = _quantized_whole(model)
    for name, module in model.named_modules():
        if name.endswith("0.self_attn.k_proj"):
            quantized.set_submodule(name, copy.deepcopy(module))
    return quantized
