# loses: 4.5/extremes
# mistake: 0 / 0 in a channel of zeros
def quantize_mixed(model, plan):
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, bits in plan.items():
            if bits != 16:
                require_bits(bits)
                layer = made.get_submodule(name)
                top = 2 ** (bits - 1) - 1
                step = layer.weight.abs().amax(dim=1 - _kept_axis(layer), keepdim=True) / top
                layer.weight.copy_((layer.weight / step).round() * step)
    return made
