# loses: 4.4/state
# mistake: measures the tied head, too, and gives it a weight of its own
def _quantizable(model):
    return {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear | Conv1D)}


def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    layer.weight = nn.Parameter(fake_quantize(kept, bits, _kept_axis(layer)), layer.weight.requires_grad)
    try:
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        layer.weight = nn.Parameter(kept, layer.weight.requires_grad)
