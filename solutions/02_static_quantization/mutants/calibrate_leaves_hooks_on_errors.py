# loses: 2.3/errors
# mistake: removes the hooks at the end, which an error never reaches
def calibrate_model(model, batches, make_calibrator):
    calibrators, hooks = {}, []
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):

            def look(_, args, name=name):
                if name not in calibrators:
                    calibrators[name] = make_calibrator()
                calibrators[name].observe(args[0])

            hooks.append(layer.register_forward_pre_hook(look))
    with _evaluating(model):
        for batch in batches:
            model(**batch)
    for hook in hooks:
        hook.remove()
    return {name: calibrator.quantization_parameters() for name, calibrator in calibrators.items()}
