# loses: 4.4/values
# mistake: the mean of the batches' means: a short batch weighs as much as a long one
def _kl_with(model, layer, bits, batches, original):
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        made = [_logits(model, [batch]) for batch in batches]
        parts = original.split([len(part) for part in made])
        return sum(float(compute_kl_div(p, q)) for p, q in zip(parts, made, strict=True)) / len(made)
    finally:
        layer.weight.copy_(kept)
