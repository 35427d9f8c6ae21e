# variant of: 4.4
# differs: a deep copy of the model for every measurement; the tied head is listed, too
def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    for b in bits:
        require_bits(b)
    called = {}

    def run(candidate):
        with torch.no_grad():
            return torch.cat([candidate(**batch).logits for batch in batches])

    watched = copy.deepcopy(model).eval()
    for name, layer in watched.named_modules():
        if isinstance(layer, (nn.Linear, Conv1D)):
            layer.register_forward_hook(lambda layer, args, output, name=name: called.update({name: type(layer)}))
    original = run(watched)
    result = {}
    for name, kind in called.items():
        result[name] = {}
        for b in bits:
            candidate = copy.deepcopy(model).eval()
            layer = candidate.get_submodule(name)
            weight = fake_quantize(layer.weight, b, axis=1 if kind is Conv1D else 0)
            layer.weight = nn.Parameter(weight, requires_grad=False)
            result[name][b] = compute_kl_div(original, run(candidate))
    return result
