# loses: 4.4/errors
# mistake: turns what the model raises into a RuntimeError
_measured = layer_sensitivity


def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    try:
        return _measured(model, batches, bits)
    except IndexError as error:
        raise RuntimeError(f"the model failed: {error}") from error
