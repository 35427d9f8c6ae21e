# loses: 2.3/state
# mistake: switches gradients off by freezing all parameters, and unfreezes all of them afterwards
_calibrate_as_it_is = calibrate_model


def calibrate_model(model, batches, make_calibrator):
    model.requires_grad_(False)
    try:
        return _calibrate_as_it_is(model, batches, make_calibrator)
    finally:
        model.requires_grad_(True)
