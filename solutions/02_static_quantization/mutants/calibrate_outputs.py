# loses: 2.3/values 2.5/values 2.6/values
# mistake: observes what a layer gives out instead of what it is given
def calibrate_model(model, batches, make_calibrator):
    calibrators, hooks = {}, []
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):

            def look(_, args, output, name=name):
                if name not in calibrators:
                    calibrators[name] = make_calibrator()
                calibrators[name].observe(output)

            hooks.append(layer.register_forward_hook(look))
    try:
        with _evaluating(model):
            for batch in batches:
                model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: calibrator.quantization_parameters() for name, calibrator in calibrators.items()}
