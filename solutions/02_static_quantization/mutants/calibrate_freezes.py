# loses: 2.3/values 2.5/values
# mistake: switches gradients off by freezing the parameters, and leaves them frozen
_calibrate_as_it_is = calibrate_model


def calibrate_model(model, batches, make_calibrator):
    model.requires_grad_(False)
    return _calibrate_as_it_is(model, batches, make_calibrator)
