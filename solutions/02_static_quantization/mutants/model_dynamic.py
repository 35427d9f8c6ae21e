# loses: 2.5/artifact
# mistake: each layer looks at the range of its input anew, which is not static
class _Dynamic(StaticQuantizedLinear):
    def forward(self, x):
        lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
        scale = ((hi - lo) / 255).clamp(min=1e-12)
        zero_point = torch.round(-lo / scale)
        steps = ((torch.round(x / scale) + zero_point).clamp(0, 255) - zero_point).double()
        y = (steps @ self.weight.double().T * (scale * self.weight_scale)).float()
        return y if self.bias is None else y + self.bias


def _with_quantized_layers(model, parameters):
    quantized = copy.deepcopy(model)
    for name, module in list(quantized.named_modules()):
        if name in parameters:
            quantized.set_submodule(name, _Dynamic.from_float(module, *parameters[name]))
        elif isinstance(module, nn.Embedding):
            quantized.set_submodule(name, QuantizedEmbedding.from_float(module))
    return quantized
