# loses: 4.4/state
# mistake: clears all hooks of a layer at the end, also those that were there before
def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    modes, layers, called = [(part, part.training) for part in model.modules()], _quantizable(model), set()
    hooks = [layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            original = _logits(model.eval(), batches)
            return {
                name: {b: _kl_with(model, layer, b, batches, original) for b in bits}
                for name, layer in layers.items()
                if name in called
            }
    finally:
        for layer in layers.values():
            layer._forward_hooks.clear()
        for part, training in modes:
            part.training = training
