# variant of: 3.3
# differs: layers of its own: asymmetric per-token activations, a float copy of nothing, the model wrapped
class _Asymmetric(nn.Module):
    def __init__(self, weight, bias):
        super().__init__()
        codes, scale = dynamic_quantize(weight)
        self.register_buffer("codes", codes.contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    def forward(self, x):
        lo, hi = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        step = ((hi - lo) / 255).clamp(min=1e-12)
        zero = torch.round(-lo / step)
        rounded = ((torch.round(x / step) + zero).clamp(0, 255) - zero) * step
        y = rounded @ (self.codes * self.scale).T
        return y if self.bias is None else y + self.bias


class _Table(nn.Module):
    def __init__(self, codes, scale):
        super().__init__()
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale)

    def forward(self, ids):
        return self.codes[ids] * self.scale[ids]


class _Wrapped(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.inner = model

    def forward(self, **batch):
        return self.inner(**batch)


def quantize_model_dynamic(model):
    inner = copy.deepcopy(model)
    head_is_tied = inner.get_output_embeddings().weight is inner.get_input_embeddings().weight
    for name, module in list(inner.named_modules()):
        if isinstance(module, (nn.Linear, Conv1D)):
            weight = module.weight if isinstance(module, nn.Linear) else module.weight.T
            bias = None if module.bias is None else module.bias.detach().clone()
            inner.set_submodule(name, _Asymmetric(weight.detach(), bias))
        elif isinstance(module, nn.Embedding):
            inner.set_submodule(name, _Table(*dynamic_quantize(module.weight.detach())))
    if head_is_tied:
        table = inner.get_input_embeddings()
        inner.lm_head.codes, inner.lm_head.scale = table.codes, table.scale
    return _Wrapped(inner)
