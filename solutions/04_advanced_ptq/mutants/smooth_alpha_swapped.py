# loses: 4.6/values
# mistake: puts alpha on the weight and 1 − alpha on the activations
def smoothquant_scales(act_amax, weight, alpha=0.5):
    peak, act_amax = weight.detach().float().abs().amax(dim=0), act_amax.detach().float()
    zero = (act_amax == 0) | (peak == 0)
    return torch.where(zero, 1.0, act_amax ** (1 - alpha) / peak**alpha)
