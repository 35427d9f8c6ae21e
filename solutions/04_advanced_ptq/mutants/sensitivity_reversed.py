# loses: 4.4/values
# mistake: KL(quantized ‖ original)
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        return float(compute_kl_div(_logits(model, batches), original))
    finally:
        layer.weight.copy_(kept)
