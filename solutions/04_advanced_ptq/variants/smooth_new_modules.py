# variant of: 4.6
# differs: builds new layers instead of copying, and returns a tuple of them
def apply_smoothquant(norm, linears, scales):
    smooth = copy.deepcopy(norm)
    state = {name: value / scales for name, value in norm.state_dict().items()}
    smooth.load_state_dict(state)
    made = []
    for layer in linears:
        new = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
        new.weight = nn.Parameter(layer.weight.detach() * scales.reshape(1, -1))
        if layer.bias is not None:
            new.bias = nn.Parameter(layer.bias.detach().clone())
        made.append(new)
    return [smooth, tuple(made)]
