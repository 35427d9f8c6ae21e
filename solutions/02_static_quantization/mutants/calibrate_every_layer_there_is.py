# loses: 2.3/values
# mistake: makes up parameters for layers that were never called
_calibrate_called = calibrate_model


def calibrate_model(model, batches, make_calibrator):
    found = _calibrate_called(model, batches, make_calibrator)
    linears = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    return {name: found.get(name, (torch.tensor(1.0), 0)) for name in linears}
