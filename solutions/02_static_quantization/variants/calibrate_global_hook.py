# variant of: 2.3
# differs: one hook for all modules of the process; calibrators exist for every layer, used or not
def calibrate_model(model, batches, make_calibrator):
    names = {layer: name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    calibrators = {name: make_calibrator() for name in names.values()}
    used = set()

    def look(layer, args):
        if layer in names:
            used.add(names[layer])
            calibrators[names[layer]].observe(args[0].detach())

    hook = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        with _evaluating(model):
            for batch in batches:
                model(**batch)
    finally:
        hook.remove()
    return {name: list(calibrators[name].quantization_parameters()) for name in sorted(used)}
