# loses: 4.5/values
# mistake: quantizes the model that it was given
def quantize_mixed(model, plan):
    made = model
    with torch.no_grad():
        for name, bits in plan.items():
            if bits != 16:
                layer = made.get_submodule(name)
                layer.weight.copy_(fake_quantize(layer.weight, bits, _kept_axis(layer)))
    return made
