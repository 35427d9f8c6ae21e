# loses: 4.4/values
# mistake: measures the first batch only
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        return float(compute_kl_div(original[: len(_logits(model, batches[:1]))], _logits(model, batches[:1])))
    finally:
        layer.weight.copy_(kept)
