# variant of: 4.9
# differs: measures the error by the inputs' second moments instead of the outputs
def awq_search(weight, inputs, bits=4, group_size=128):
    w, x = weight.double(), inputs.double()
    moments, power = x.T @ x / len(x), x.square().mean(dim=0).sqrt()
    power[power == 0] = power[power > 0].min()
    best = (float("inf"), None)
    for strength in [k / 16 for k in range(17)]:
        s = (power / power.min()) ** strength
        off = round_in_groups(w * s, bits, group_size) / s - w
        cost = float(((off @ moments) * off).sum())
        best = (cost, s) if cost < best[0] else best
    return best[1].float()
