# loses: 4.4/state
# mistake: puts new parameters in, which ask for gradients although the weight was frozen
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach()
    layer.weight = nn.Parameter(fake_quantize(kept, bits, _kept_axis(layer)))
    try:
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        layer.weight = nn.Parameter(kept)
