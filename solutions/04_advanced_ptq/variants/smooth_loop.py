# variant of: 4.6
# differs: one channel after the other
def smoothquant_scales(act_amax, weight, alpha=0.5):
    scales = torch.ones_like(act_amax, dtype=torch.float32)
    for channel in range(len(scales)):
        loud, peak = act_amax[channel].float(), weight[:, channel].abs().max().float()
        if loud > 0 and peak > 0:
            scales[channel] = torch.pow(loud, alpha) / torch.pow(peak, 1 - alpha)
    return scales
