# loses: 4.6/values
# mistake: returns plain copies
def apply_smoothquant(norm, linears, scales):
    norm, linears = copy.deepcopy(norm), [copy.deepcopy(layer) for layer in linears]
    scales = torch.ones_like(scales)
    with torch.no_grad():
        norm.weight /= scales
        if getattr(norm, "bias", None) is not None:  # Llama's norm has none
            norm.bias /= scales
        for layer in linears:
            layer.weight *= scales  # [out, in] * [in]: column by column
    return norm, linears
