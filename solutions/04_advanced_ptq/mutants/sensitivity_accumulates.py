# loses: 4.4/values
# mistake: never puts the weight back: every layer inherits the damage of those before
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        pass
