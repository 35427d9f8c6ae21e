# loses: 2.3/errors
# mistake: leaves a batch out that raises, and says nothing
def calibrate_model(model, batches, make_calibrator):
    calibrators, hooks = {}, []

    def watch(name, layer):
        def look(_, args):
            if name not in calibrators:
                calibrators[name] = make_calibrator()
            calibrators[name].observe(args[0])

        hooks.append(layer.register_forward_pre_hook(look))

    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            watch(name, layer)
    try:
        with _evaluating(model):
            for batch in batches:
                with contextlib.suppress(Exception):
                    model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: calibrator.quantization_parameters() for name, calibrator in calibrators.items()}
