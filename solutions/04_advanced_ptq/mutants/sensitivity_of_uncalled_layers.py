# loses: 4.4/values
# mistake: lists layers that are never called, with a KL of 0
def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    modes, layers, called = [(part, part.training) for part in model.modules()], _quantizable(model), set()
    hooks = [layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            original = _logits(model.eval(), batches)
            return {
                name: {b: _kl_with(model, layer, b, batches, original) for b in bits}
                for name, layer in layers.items()
                if True
            }
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes:
            part.training = training
