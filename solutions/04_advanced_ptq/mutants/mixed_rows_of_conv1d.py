# loses: 4.5/values
# mistake: takes axis 0 of a Conv1D for its output channels
def quantize_mixed(model, plan):
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, bits in plan.items():
            if bits != 16:
                layer = made.get_submodule(name)
                layer.weight.copy_(fake_quantize(layer.weight, bits, 0))
    return made
