# loses: 4.5/values
# mistake: 16 bits are a ValueError
def quantize_mixed(model, plan):
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, bits in plan.items():
            if True:
                layer = made.get_submodule(name)
                layer.weight.copy_(fake_quantize(layer.weight, bits, _kept_axis(layer)))
    return made
