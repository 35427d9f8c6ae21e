# loses: 2.6/values
# mistake: knows one class and ignores the one in the file
def load_quantized(path):
    with safe_open(path, "pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    config = transformers.BertConfig.from_dict(json.loads(about["config"]))
    untrained = transformers.BertForSequenceClassification(config)
    static = [name.removesuffix(".input_scale") for name in tensors if name.endswith(".input_scale")]
    quantized = _with_quantized_layers(untrained, {name: (torch.tensor(1.0), 0) for name in static})
    quantized.load_state_dict(tensors)
    return quantized.eval()
