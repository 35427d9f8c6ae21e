# loses: 2.6/values
# mistake: saves scales, biases and norms in half precision
def save_quantized(model, path):
    state = model.state_dict().items()
    tensors = {name: tensor.half() if tensor.is_floating_point() else tensor.contiguous() for name, tensor in state}
    about = {"class": type(model).__name__, "config": model.config.to_json_string(use_diff=False)}
    save_file(tensors, path, metadata=about)
