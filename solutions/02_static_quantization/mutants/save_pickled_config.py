# loses: 2.6/values
# mistake: pickles the config into the metadata of a safetensors file
def save_quantized(model, path):
    import base64
    import pickle

    about = base64.b64encode(pickle.dumps((type(model).__name__, model.config))).decode()
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path, metadata={"about": about})


def load_quantized(path):
    import base64
    import pickle

    with safe_open(path, "pt") as file:
        name, config = pickle.loads(base64.b64decode(file.metadata()["about"]))
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    untrained = getattr(transformers, name)(config)
    static = [key.removesuffix(".input_scale") for key in tensors if key.endswith(".input_scale")]
    quantized = _with_quantized_layers(untrained, {key: (torch.tensor(1.0), 0) for key in static})
    quantized.load_state_dict(tensors)
    return quantized.eval()
