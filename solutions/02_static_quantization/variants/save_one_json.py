# variant of: 2.6
# differs: one JSON for class, configuration and layers; bytes written by hand; the model is built without weights
def save_quantized(model, path):
    from safetensors.torch import save

    static = [name for name, layer in model.named_modules() if isinstance(layer, StaticQuantizedLinear)]
    about = {"architecture": type(model).__name__, "static": static, "config": model.config.to_dict()}
    data = save({name: tensor.clone() for name, tensor in model.state_dict().items()}, {"about": json.dumps(about)})
    Path(path).write_bytes(data)


def load_quantized(path):
    from safetensors.torch import load_file

    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["about"])
    kind = getattr(transformers, about["architecture"])
    config = kind.config_class.from_dict(about["config"])
    untrained = kind(config)
    quantized = _with_quantized_layers(untrained, {name: (torch.tensor(1.0), 0) for name in about["static"]})
    quantized.load_state_dict(load_file(path), assign=True)
    return quantized.train()
