# loses: 4.4/values
# mistake: remembers the weight without cloning it: what it puts back is what it has just written
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        layer.weight.copy_(kept)
