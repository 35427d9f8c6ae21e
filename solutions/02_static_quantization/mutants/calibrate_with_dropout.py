# loses: 2.3/values
# mistake: leaves the model in training mode: the ranges are those of dropout
def calibrate_model(model, batches, make_calibrator):
    calibrators, hooks = {}, []
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):

            def look(_, args, name=name):
                calibrators.setdefault(name, None)
                calibrators[name] = calibrators[name] or make_calibrator()
                calibrators[name].observe(args[0])

            hooks.append(layer.register_forward_pre_hook(look))
    try:
        with torch.no_grad():
            for batch in batches:
                model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: calibrator.quantization_parameters() for name, calibrator in calibrators.items()}
