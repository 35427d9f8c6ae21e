# loses: 4.5/state
# mistake: hangs up a new parameter: the embedding keeps the old weight
def quantize_mixed(model, plan):
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, bits in plan.items():
            if bits != 16:
                layer = made.get_submodule(name)
                layer.weight = nn.Parameter(fake_quantize(layer.weight, bits, _kept_axis(layer)))
    return made
