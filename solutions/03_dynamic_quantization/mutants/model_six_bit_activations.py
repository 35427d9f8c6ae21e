# loses: 3.3/values
# mistake: activations of 6 bits
def _replaced(model, layer_of):
    quantized, made = copy.deepcopy(model), {}
    for name, module in list(quantized.named_modules()):
        layer = layer_of(name, module)
        if layer is not None:
            first = made.setdefault(module.weight, layer)
            layer.weight, layer.weight_scale = first.weight, first.weight_scale
            quantized.set_submodule(name, layer)
    return quantized


class _SixBits(DynamicQuantizedLinear):
    def forward(self, x):
        codes, scale = _codes_and_scale(x, bits=6)
        y = (codes.float() @ self.weight.float().T) * scale * self.weight_scale
        return y if self.bias is None else y + self.bias


def _layer(name, module):
    if isinstance(module, (nn.Linear, Conv1D)):
        return _SixBits.from_float(module)
    return _quantized(module)


def quantize_model_dynamic(model):
    return _replaced(model, _layer)
