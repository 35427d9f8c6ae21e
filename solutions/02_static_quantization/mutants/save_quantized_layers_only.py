# loses: 2.6/values
# mistake: forgets what stayed in float: the norms come back untrained
def save_quantized(model, path):
    quantized = [n for n, m in model.named_modules() if isinstance(m, StaticQuantizedLinear | QuantizedEmbedding)]
    state = model.state_dict()
    kept = {name: value.contiguous() for name, value in state.items() if name.rpartition(".")[0] in quantized}
    about = {"class": type(model).__name__, "config": model.config.to_json_string(use_diff=False)}
    save_file(kept, path, metadata=about)


def load_quantized(path):
    with safe_open(path, "pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    kind = getattr(transformers, about["class"])
    untrained = kind(kind.config_class.from_dict(json.loads(about["config"])))
    static = [name.removesuffix(".input_scale") for name in tensors if name.endswith(".input_scale")]
    quantized = _with_quantized_layers(untrained, {name: (torch.tensor(1.0), 0) for name in static})
    quantized.load_state_dict(tensors, strict=False)
    return quantized.eval()
