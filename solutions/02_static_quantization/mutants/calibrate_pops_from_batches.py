# loses: 2.3/state 2.5/state
# mistake: takes entries out of the caller's batches
_calibrate_as_it_is = calibrate_model


def calibrate_model(model, batches, make_calibrator):
    first = [{key: batch.pop(key) for key in list(batch)} for batch in batches]
    return _calibrate_as_it_is(model, first, make_calibrator)
