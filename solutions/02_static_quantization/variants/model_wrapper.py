# variant of: 2.5
# differs: the model stands inside a module of its own, with other names in the state_dict
class _Static(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.config = getattr(inner, "config", None)

    def forward(self, *args, **kwargs):
        return self.inner(*args, **kwargs)


_inner_quantized, _inner_save, _inner_load = quantize_model_static, save_quantized, load_quantized


def quantize_model_static(model, batches):
    return _Static(_inner_quantized(model, batches))


def save_quantized(model, path):
    _inner_save(model.inner, path)


def load_quantized(path):
    return _Static(_inner_load(path))
