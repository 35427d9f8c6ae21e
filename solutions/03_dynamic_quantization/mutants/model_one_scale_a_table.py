# loses: 3.3/artifact
# mistake: one scale for a whole embedding, unless the head shares it
_quantized_by_rows = quantize_model_dynamic


def quantize_model_dynamic(model):
    quantized = _quantized_by_rows(model)
    head = model.get_output_embeddings().weight
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and module.weight is not head:
            codes, scale = _codes_and_scale(module.weight, granularity="per_tensor")
            quantized.set_submodule(name, QuantizedEmbedding(codes, scale.expand(len(codes)).clone()))
    return quantized
