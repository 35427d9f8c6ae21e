# loses: 4.6/inputs
# mistake: computes the scales on the CPU, and leaves them there
_scales_anywhere = smoothquant_scales


def smoothquant_scales(act_amax, weight, alpha=0.5):
    return _scales_anywhere(act_amax.cpu(), weight.cpu(), alpha)
