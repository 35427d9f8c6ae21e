# loses: 4.4/values
# mistake: one scale for a whole weight
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept.reshape(1, -1), bits, 0).reshape(kept.shape))
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        layer.weight.copy_(kept)
