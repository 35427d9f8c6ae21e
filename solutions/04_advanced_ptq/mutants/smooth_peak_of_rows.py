# loses: 4.6/values
# mistake: takes the peak of each output channel
def smoothquant_scales(act_amax, weight, alpha=0.5):
    peak, act_amax = weight.detach().float().abs().amax(dim=1)[: weight.shape[1]], act_amax.detach().float()
    zero = (act_amax == 0) | (peak == 0)
    return torch.where(zero, 1.0, act_amax**alpha / peak ** (1 - alpha))
