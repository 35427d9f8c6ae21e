# loses: 4.5/values
# mistake: one scale for a whole weight
def quantize_mixed(model, plan):
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, bits in plan.items():
            if bits != 16:
                layer = made.get_submodule(name)
                layer.weight.copy_(fake_quantize(layer.weight.reshape(1, -1), bits, 0).reshape(layer.weight.shape))
    return made
