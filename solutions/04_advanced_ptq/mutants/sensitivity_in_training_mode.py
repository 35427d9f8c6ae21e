# loses: 4.4/state
# mistake: measures in whatever mode the model is: dropout measures itself
def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    modes, layers, called = [(part, part.training) for part in model.modules()], _quantizable(model), set()
    hooks = [layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            original = _logits(model, batches)
            return {
                name: {b: _kl_with(model, layer, b, batches, original) for b in bits}
                for name, layer in layers.items()
                if name in called
            }
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes:
            part.training = training
