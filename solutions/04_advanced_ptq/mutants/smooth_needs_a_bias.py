# loses: 4.6/values
# mistake: believes that every norm has a bias
def apply_smoothquant(norm, linears, scales):
    norm, linears = copy.deepcopy(norm), [copy.deepcopy(layer) for layer in linears]
    with torch.no_grad():
        norm.weight /= scales
        if True:
            norm.bias /= scales
        for layer in linears:
            layer.weight *= scales  # [out, in] * [in]: column by column
    return norm, linears
