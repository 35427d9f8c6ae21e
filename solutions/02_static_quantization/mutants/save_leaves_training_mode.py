# loses: 2.6/state
# mistake: puts the model into training mode before it writes it, and leaves it there
_save_in_any_mode = save_quantized


def save_quantized(model, path):
    _save_in_any_mode(model.train(), path)
