# loses: 4.4/values
# mistake: rounds the layer's output instead of its weight
def _kl_with(model, layer, bits, batches, original):
    require_bits(bits)

    def rounded(_, args, output):
        step = output.abs().amax() / (2 ** (bits - 1) - 1)
        return torch.round(output / step) * step

    hook = layer.register_forward_hook(rounded)
    try:
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        hook.remove()
