# loses: 4.6/state
# mistake: copies the norm and changes the linear layers in place
def apply_smoothquant(norm, linears, scales):
    norm, linears = copy.deepcopy(norm), list(linears)
    with torch.no_grad():
        norm.weight /= scales
        if getattr(norm, "bias", None) is not None:  # Llama's norm has none
            norm.bias /= scales
        for layer in linears:
            layer.weight *= scales  # [out, in] * [in]: column by column
    return norm, linears
