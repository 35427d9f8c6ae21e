# loses: 4.6/values
# mistake: divides the norm's weight and forgets its bias
def apply_smoothquant(norm, linears, scales):
    norm, linears = copy.deepcopy(norm), [copy.deepcopy(layer) for layer in linears]
    with torch.no_grad():
        norm.weight /= scales
        if getattr(norm, "bias", None) is not None:  # Llama's norm has none
            pass
        for layer in linears:
            layer.weight *= scales  # [out, in] * [in]: column by column
    return norm, linears
