# loses: 2.5/artifact 2.5/state
# mistake: replaces the layers of the very model that it was given
_quantized_copy = quantize_model_static


def quantize_model_static(model, batches):
    quantized = _quantized_copy(model, batches)
    for name, module in list(quantized.named_modules()):
        if isinstance(module, StaticQuantizedLinear | QuantizedEmbedding):
            model.set_submodule(name, module)
    return model
