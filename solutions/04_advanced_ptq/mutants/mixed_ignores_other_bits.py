# loses: 4.5/errors
# mistake: leaves a layer alone where the plan asks for 9 bits
def quantize_mixed(model, plan):
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, bits in plan.items():
            if bits in (2, 3, 4, 5, 6, 7, 8):
                layer = made.get_submodule(name)
                layer.weight.copy_(fake_quantize(layer.weight, bits, _kept_axis(layer)))
    return made
