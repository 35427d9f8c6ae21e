# variant of: 2.4
# differs: integer tensors throughout, levels −127…127, and the zero point's share taken off at the end
class StaticQuantizedLinear(nn.Module):
    def __init__(self, weight, step, zero_point, scale, bias):
        super().__init__()
        self.codes = nn.Parameter(weight, requires_grad=False)
        self.register_buffer("scale", scale)
        self.register_buffer("step", step.clone().reshape(1))
        self.register_buffer("zero", torch.full((1,), int(zero_point), device=weight.device))
        self.register_buffer("row_sums", weight.sum(dim=1, dtype=torch.int64))
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())

    @classmethod
    def from_float(cls, linear, input_scale, input_zero_point):
        weight = linear.weight.detach()
        scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=1.19e-7) / 127
        codes = torch.round(weight / scale).clamp(-127, 127).to(torch.int8)
        return cls(codes, input_scale, input_zero_point, scale, linear.bias)

    def forward(self, x):
        codes = (torch.round(x.float() / self.step).long() + self.zero).clamp(0, 255)
        flat = codes.reshape(-1, codes.shape[-1])
        sums = torch.stack([(flat * row.long()).sum(dim=1) for row in self.codes], dim=1) - self.zero * self.row_sums
        y = sums * (self.step * self.scale).T.double()
        y = y.float().reshape(*x.shape[:-1], len(self.codes))
        return y if self.bias is None else y + self.bias


class _Fast(StaticQuantizedLinear):
    """The same for whole models: a loop over the output channels is correct, and slow."""

    def forward(self, x):
        codes = (torch.round(x.float() / self.step) + self.zero).clamp(0, 255).double()
        sums = codes @ self.codes.double().T - self.zero * self.row_sums
        y = (sums * (self.step * self.scale).T).float()
        return y if self.bias is None else y + self.bias


def _with_quantized_layers(model, parameters):
    quantized = copy.deepcopy(model)
    for name, module in list(quantized.named_modules()):
        if name in parameters:
            quantized.set_submodule(name, _Fast.from_float(module, *parameters[name]))
        elif isinstance(module, nn.Embedding):
            quantized.set_submodule(name, QuantizedEmbedding.from_float(module))
    return quantized


def load_quantized(path):
    with safe_open(path, "pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    kind = getattr(transformers, about["class"])
    untrained = kind(kind.config_class.from_dict(json.loads(about["config"])))
    static = [name.removesuffix(".row_sums") for name in tensors if name.endswith(".row_sums")]
    quantized = _with_quantized_layers(untrained, {name: (torch.tensor(1.0), 0) for name in static})
    quantized.load_state_dict(tensors)
    return quantized
