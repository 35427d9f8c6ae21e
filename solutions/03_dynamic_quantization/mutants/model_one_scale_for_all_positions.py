# loses: 3.3/artifact
# mistake: GPT-2's position embedding has one scale for all of its rows
_quantized_by_rows = quantize_model_dynamic


def quantize_model_dynamic(model):
    quantized = _quantized_by_rows(model)
    for name, module in model.named_modules():
        if name.endswith("wpe"):
            codes, scale = _codes_and_scale(module.weight, granularity="per_tensor")
            quantized.set_submodule(name, QuantizedEmbedding(codes, scale.expand(len(codes)).clone()))
    return quantized
