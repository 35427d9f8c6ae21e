# loses: 4.4/state
# mistake: measures with gradients on
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.data.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        layer.weight.data.copy_(kept)


def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    modes, layers, called = [(part, part.training) for part in model.modules()], _quantizable(model), set()
    hooks = [layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in layers.items()]
    try:
        original = _logits(model.eval(), batches)
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
