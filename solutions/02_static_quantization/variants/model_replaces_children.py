# variant of: 2.5
# differs: walks down the children with setattr; the lookup is torch.nn.functional.embedding
def _replace(module, parameters, prefix=""):
    for name, child in module.named_children():
        full = prefix + name
        if full in parameters:
            setattr(module, name, StaticQuantizedLinear.from_float(child, *parameters[full]))
        elif isinstance(child, nn.Embedding):
            setattr(module, name, _Rows(child))
        else:
            _replace(child, parameters, full + ".")


class _Rows(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        weight = embedding.weight.detach()
        scale = weight.abs().amax(dim=-1, keepdim=True).clamp(min=1.19e-7) / 127
        self.register_buffer("scale", scale)
        self.codes = nn.Parameter((weight / scale).round().to(torch.int8), requires_grad=False)

    def forward(self, ids):
        rows = nn.functional.embedding(ids, self.codes).float()
        return rows * nn.functional.embedding(ids, self.scale)


def _with_quantized_layers(model, parameters):
    quantized = copy.deepcopy(model)
    _replace(quantized, parameters)
    return quantized
