# variant of: 4.6
# differs: adds logarithms instead of multiplying powers, in float64
def smoothquant_scales(act_amax, weight, alpha=0.5):
    peak, loud = weight.double().abs().max(dim=0).values, act_amax.double()
    scales = torch.exp(alpha * torch.log(loud) - (1 - alpha) * torch.log(peak)).float()
    scales[(loud == 0) | (peak == 0)] = 1.0
    return scales
