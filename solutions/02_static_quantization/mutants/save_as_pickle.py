# loses: 2.6/values
# mistake: torch.save, whatever the file is called
def save_quantized(model, path):
    config = model.config.to_json_string()
    torch.save({"class": type(model).__name__, "config": config, "state": model.state_dict()}, path)


def load_quantized(path):
    found = torch.load(path)
    kind = getattr(transformers, found["class"])
    untrained = kind(kind.config_class.from_dict(json.loads(found["config"])))
    static = [name.removesuffix(".input_scale") for name in found["state"] if name.endswith(".input_scale")]
    quantized = _with_quantized_layers(untrained, {name: (torch.tensor(1.0), 0) for name in static})
    quantized.load_state_dict(found["state"])
    return quantized.eval()
