# loses: 4.6/state
# mistake: changes the layers that it was handed
def apply_smoothquant(norm, linears, scales):
    with torch.no_grad():
        norm.weight /= scales
        if getattr(norm, "bias", None) is not None:  # Llama's norm has none
            norm.bias /= scales
        for layer in linears:
            layer.weight *= scales  # [out, in] * [in]: column by column
    return norm, linears
