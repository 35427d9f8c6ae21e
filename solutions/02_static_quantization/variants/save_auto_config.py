# variant of: 2.6
# differs: AutoConfig; what is not in the file is left as the constructor made it
def load_quantized(path):
    with safe_open(path, "pt") as file:
        about, names = file.metadata(), list(file.keys())
        tied = json.loads(about["tied"])
        config = json.loads(about["config"])
        config = transformers.AutoConfig.for_model(config.pop("model_type"), **config)
        model = getattr(transformers, about["class"])(config)
        static = {n.removesuffix(".input_scale") for n in names if n.endswith(".input_scale")}
        model = _with_quantized_layers(model, dict.fromkeys(static, (torch.ones(()), 0)))
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                tensor.copy_(file.get_tensor(tied.get(name, name)))
    return model
