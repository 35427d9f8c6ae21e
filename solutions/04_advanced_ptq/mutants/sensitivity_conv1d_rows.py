# loses: 4.4/values
# mistake: takes axis 0 of a Conv1D for its output channels
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, 0))
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        layer.weight.copy_(kept)
