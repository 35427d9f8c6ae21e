# loses: 2.4/values
# mistake: one scale for the whole weight (2.5 is made with the right layers)
_Right = StaticQuantizedLinear


class StaticQuantizedLinear(_Right):
    @classmethod
    def from_float(cls, linear, input_scale, input_zero_point):
        weight = linear.weight.detach().float()
        scale = (weight.abs().amax() / 127).expand(len(weight)).clone()
        codes = torch.round(weight / scale.unsqueeze(1)).to(torch.int8)
        return cls(codes, scale, input_scale, input_zero_point, linear.bias)


def _with_quantized_layers(model, parameters):
    quantized = copy.deepcopy(model)
    for name, module in list(quantized.named_modules()):
        if name in parameters:
            quantized.set_submodule(name, _Right.from_float(module, *parameters[name]))
        elif isinstance(module, nn.Embedding):
            quantized.set_submodule(name, QuantizedEmbedding.from_float(module))
    return quantized
