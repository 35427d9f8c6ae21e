# loses: 3.3/values
# mistake: int8 layers, and the float weights beside them in the state_dict
_reference_quantize = quantize_model_dynamic


def quantize_model_dynamic(model):
    quantized = _reference_quantize(model)
    for name, parameter in list(model.named_parameters()):
        quantized.register_buffer("original_" + name.replace(".", "_"), parameter.detach().clone())
    return quantized
