# loses: 2.3/values 2.5/values 2.6/values
# mistake: looks at the model's direct children: most layers lie deeper (and so the file stays large)
_calibrate_all = calibrate_model


def calibrate_model(model, batches, make_calibrator):
    found = _calibrate_all(model, batches, make_calibrator)
    children = dict(model.named_children())
    return {name: parameters for name, parameters in found.items() if name in children}
