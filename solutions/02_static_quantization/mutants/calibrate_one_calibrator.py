# loses: 2.3/values 2.5/values
# mistake: the hooks of all layers see the loop's last name
def calibrate_model(model, batches, make_calibrator):
    calibrator, called, hooks = make_calibrator(), {}, []

    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):

            def look(_, args, name=name):
                called[name] = True
                calibrator.observe(args[0])

            hooks.append(layer.register_forward_pre_hook(look))
    try:
        with _evaluating(model):
            for batch in batches:
                model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: calibrator.quantization_parameters() for name in called}
