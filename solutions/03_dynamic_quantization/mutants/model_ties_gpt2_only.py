# loses: 3.3/artifact
# mistake: looks for a tied head under GPT-2's names only, so Llama's is stored twice
def quantize_model_dynamic(model):
    quantized = copy.deepcopy(model)
    tied = hasattr(model, "transformer") and model.lm_head.weight is model.transformer.wte.weight
    for name, module in list(quantized.named_modules()):
        layer = _quantized(module)
        if layer is not None:
            quantized.set_submodule(name, layer)
    if tied:
        table = quantized.transformer.wte
        quantized.lm_head.weight, quantized.lm_head.weight_scale = table.weight, table.weight_scale
    return quantized
