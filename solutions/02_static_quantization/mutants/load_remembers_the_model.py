# loses: 2.6/values
# mistake: keeps the model in a global variable, which no other process has
_saved_models = {}
_save_file = save_quantized


def save_quantized(model, path):
    _saved_models["last"] = model
    _save_file(model, path)


def load_quantized(path):
    return _saved_models["last"]
