# loses: 4.4/values
# mistake: adds the batches' KL up instead of averaging
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        return float(compute_kl_div(original, _logits(model, batches))) * len(batches)
    finally:
        layer.weight.copy_(kept)
