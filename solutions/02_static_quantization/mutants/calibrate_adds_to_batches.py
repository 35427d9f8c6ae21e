# loses: 2.3/state
# mistake: adds an attention mask to the caller's batches
_calibrate_as_it_is = calibrate_model


def calibrate_model(model, batches, make_calibrator):
    for batch in batches:
        if "input_ids" in batch:
            batch.setdefault("attention_mask", torch.ones_like(batch["input_ids"]))
    return _calibrate_as_it_is(model, batches, make_calibrator)
