# loses: 2.3/state
# mistake: clears every hook of the layers in the end, also those that were there before
def calibrate_model(model, batches, make_calibrator):
    calibrators = {}
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    for name, layer in layers.items():

        def look(_, args, name=name):
            if name not in calibrators:
                calibrators[name] = make_calibrator()
            calibrators[name].observe(args[0])

        layer.register_forward_pre_hook(look)
    try:
        with _evaluating(model):
            for batch in batches:
                model(**batch)
    finally:
        for layer in layers.values():
            layer._forward_pre_hooks.clear()
    return {name: calibrator.quantization_parameters() for name, calibrator in calibrators.items()}
