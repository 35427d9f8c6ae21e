# variant of: 4.9
# differs: judges loudness by peaks, normalises the scales, tries finer steps
def awq_search(weight, inputs, bits=4, group_size=128):
    weight, inputs = weight.double(), inputs.double()
    want, peak = inputs @ weight.T, inputs.abs().amax(dim=0).clamp(min=1e-3)
    found = []
    for step in range(41):
        scales = peak ** (step / 40)
        scales = scales / (scales.max() * scales.min()).sqrt()
        rounded = round_in_groups(weight * scales, bits, group_size).double()
        found.append((float(((inputs / scales) @ rounded.T - want).norm()), step, scales))
    return min(found)[2].float()
