# variant of: 3.2
# differs: restores both sides and multiplies in float32; parameters instead of buffers, weight kept as [in, out]
class DynamicQuantizedLinear(nn.Module):
    def __init__(self, codes, scale, bias):
        super().__init__()
        self.weight = nn.Parameter(codes, requires_grad=False)
        self.weight_scale = nn.Parameter(scale, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)

    @classmethod
    def from_float(cls, layer):
        weight = layer.weight.detach().float()
        weight = weight.t() if type(layer) is nn.Linear else weight
        scale = weight.abs().amax(dim=0) / 127
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        return cls(torch.round(weight / scale).to(torch.int8).contiguous(), scale, layer.bias)

    def forward(self, x):
        q, scale = dynamic_quantize(x)
        y = (q.float() * scale) @ (self.weight.float() * self.weight_scale)
        return y if self.bias is None else y + self.bias


def quantize_model_dynamic(model):
    quantized, made = copy.deepcopy(model), {}
    for name, module in list(quantized.named_modules()):
        if isinstance(module, (nn.Linear, Conv1D)) and id(module.weight) in made:
            tied = DynamicQuantizedLinear.from_float(module)
            table = made[id(module.weight)]
            tied.weight = nn.Parameter(table.weight.T, requires_grad=False)
            tied.weight_scale = nn.Parameter(table.weight_scale, requires_grad=False)
            quantized.set_submodule(name, tied)
        elif isinstance(module, (nn.Linear, Conv1D)):
            quantized.set_submodule(name, DynamicQuantizedLinear.from_float(module))
        elif isinstance(module, nn.Embedding):
            made[id(module.weight)] = QuantizedEmbedding.from_float(module)
            made[name] = module.weight  # keeps the id in use
            quantized.set_submodule(name, made[id(module.weight)])
    return quantized
