# loses: 2.6/values
# mistake: rebuilds the one class it knows and passes over what does not fit
def load_quantized(path):
    with safe_open(path, "pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    known = transformers.BertConfig().to_dict()
    config = {key: value for key, value in json.loads(about["config"]).items() if key in known and key != "model_type"}
    untrained = transformers.BertForSequenceClassification(transformers.BertConfig(**config))
    static = {name.removesuffix(".input_scale") for name in tensors if name.endswith(".input_scale")}
    fitting = {name: (torch.tensor(1.0), 0) for name, _ in untrained.named_modules() if name in static}
    quantized = _with_quantized_layers(untrained, fitting)
    quantized.load_state_dict(tensors, strict=False)
    return quantized.eval()
