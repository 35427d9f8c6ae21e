# loses: 2.3/state 2.5/state
# mistake: switches gradients off by freezing the parameters, and leaves them frozen
_calibrate_as_it_is = calibrate_model


def calibrate_model(model, batches, make_calibrator):
    model.requires_grad_(False)
    return _calibrate_as_it_is(model, batches, make_calibrator)
