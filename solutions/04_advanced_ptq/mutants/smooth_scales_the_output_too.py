# loses: 4.6/values
# mistake: scales the linear layers' biases as well
def apply_smoothquant(norm, linears, scales):
    norm, linears = copy.deepcopy(norm), [copy.deepcopy(layer) for layer in linears]
    with torch.no_grad():
        norm.weight /= scales
        if getattr(norm, "bias", None) is not None:  # Llama's norm has none
            norm.bias /= scales
        for layer in linears:
            layer.weight *= scales
            if layer.bias is not None:
                layer.bias *= scales.mean()
    return norm, linears
