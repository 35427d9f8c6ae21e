# loses: 2.5/artifact
# mistake: leaves a head that is tied to the embedding in float
_quantize_every_layer = quantize_model_static


def quantize_model_static(model, batches):
    quantized = _quantize_every_layer(model, batches)
    tied = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    for name, part in model.named_modules():
        if isinstance(part, nn.Linear) and id(part.weight) in tied:
            quantized.set_submodule(name, copy.deepcopy(part))
    return quantized
