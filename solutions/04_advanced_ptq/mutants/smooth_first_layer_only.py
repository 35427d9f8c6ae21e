# loses: 4.6/values
# mistake: folds the scales into the first of the linear layers only
def apply_smoothquant(norm, linears, scales):
    norm, linears = copy.deepcopy(norm), [copy.deepcopy(layer) for layer in linears]
    with torch.no_grad():
        norm.weight /= scales
        if getattr(norm, "bias", None) is not None:  # Llama's norm has none
            norm.bias /= scales
        for layer in linears[:1]:
            layer.weight *= scales  # [out, in] * [in]: column by column
    return norm, linears
