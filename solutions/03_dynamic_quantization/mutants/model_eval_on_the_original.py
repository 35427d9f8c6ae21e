# loses: 3.3/state
# mistake: puts the model that was handed over into eval mode
_reference_quantize = quantize_model_dynamic


def quantize_model_dynamic(model):
    model.eval()
    return _reference_quantize(model)
