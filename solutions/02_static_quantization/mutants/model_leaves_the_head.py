# loses: 2.5/artifact
# mistake: leaves the classifier in float
_every_layer = calibrate_model


def quantize_model_static(model, batches):
    found = _every_layer(model, batches, MinMaxCalibrator)
    return _with_quantized_layers(model, {name: found[name] for name in found if name != "classifier"})
