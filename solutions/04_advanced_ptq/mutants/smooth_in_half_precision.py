# loses: 4.6/inputs
# mistake: computes in the dtype of its input, and returns scales in it
def smoothquant_scales(act_amax, weight, alpha=0.5):
    peak = weight.abs().amax(dim=0)
    zero = (act_amax == 0) | (peak == 0)
    return torch.where(zero, torch.ones_like(peak), act_amax**alpha / peak ** (1 - alpha))
