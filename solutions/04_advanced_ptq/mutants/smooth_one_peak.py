# loses: 4.6/values
# mistake: uses one peak of the whole weight
def smoothquant_scales(act_amax, weight, alpha=0.5):
    peak, act_amax = weight.detach().float().abs().amax(), act_amax.detach().float()
    zero = (act_amax == 0) | (peak == 0)
    return torch.where(zero, 1.0, act_amax**alpha / peak ** (1 - alpha))
