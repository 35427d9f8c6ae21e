# variant of: 2.3
# differs: no hooks; each layer's forward is wrapped for a while, and the inputs are observed after the pass
def calibrate_model(model, batches, make_calibrator):
    layers = {name: layer for name, layer in model.named_modules() if type(layer) is nn.Linear}
    calibrators, training = {}, {name: part.training for name, part in model.named_modules()}
    seen = []

    def wrap(name, layer):
        forward = layer.forward

        def wrapped(x):
            seen.append((name, x.detach()))
            return forward(x)

        layer.forward = wrapped

    try:
        for name, layer in layers.items():
            wrap(name, layer)
        model.eval()
        for batch in batches:
            with torch.inference_mode():
                model(**batch)
            for name, x in seen:
                calibrators.setdefault(name, None)
                if calibrators[name] is None:
                    calibrators[name] = make_calibrator()
                with torch.no_grad():
                    calibrators[name].observe(x.flatten())
            seen.clear()
    finally:
        for layer in layers.values():
            layer.__dict__.pop("forward", None)
        for name, part in model.named_modules():
            part.training = training[name]
    return {name: calibrators[name].quantization_parameters() for name in calibrators}
