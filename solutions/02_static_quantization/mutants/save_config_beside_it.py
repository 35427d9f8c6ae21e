# loses: 2.6/values
# mistake: writes the configuration into a second file
def save_quantized(model, path):
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    about = {"class": type(model).__name__, "config": model.config.to_json_string()}
    Path(path).with_suffix(".json").write_text(json.dumps(about))


def load_quantized(path):
    about = json.loads(Path(path).with_suffix(".json").read_text())
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    kind = getattr(transformers, about["class"])
    untrained = kind(kind.config_class.from_dict(json.loads(about["config"])))
    static = [name.removesuffix(".input_scale") for name in tensors if name.endswith(".input_scale")]
    quantized = _with_quantized_layers(untrained, {name: (torch.tensor(1.0), 0) for name in static})
    quantized.load_state_dict(tensors)
    return quantized.eval()
