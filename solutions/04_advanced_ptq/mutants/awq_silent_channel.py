# loses: 4.9/extremes
# mistake: gives a silent channel the scale 0
def awq_search(weight, inputs, bits=4, group_size=128):
    weight, inputs = weight.detach().float(), inputs.detach().float()
    wanted, loudness = inputs @ weight.T, inputs.abs().mean(dim=0)
    best, least = None, float("inf")
    for step in range(1, 21):
        scales = loudness ** (step / 20)  # the first are all 1: never worse than without
        rounded = round_in_groups(weight * scales, bits, group_size)
        error = ((inputs / scales) @ rounded.T - wanted).square().mean().item()
        if not error >= least:
            best, least = scales, error
    return best
