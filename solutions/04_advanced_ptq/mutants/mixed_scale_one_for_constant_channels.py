# loses: 4.5/extremes
# mistake: a channel whose largest value equals its smallest gets the scale 1
_any_channels = fake_quantize


def fake_quantize(weight, bits, axis=0):
    others = [d for d in range(weight.dim()) if d != axis % weight.dim()]
    constant = weight.amax(dim=others, keepdim=True) == weight.amin(dim=others, keepdim=True)
    return torch.where(constant, weight.detach().float().round(), _any_channels(weight, bits, axis))
