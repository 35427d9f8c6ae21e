# loses: 4.5/values
# mistake: buys the upgrade that gains most, whatever it costs
def assign_bits(sensitivity, sizes, budget_bytes):
    plan = {name: min(offered) for name, offered in sensitivity.items()}
    left = budget_bytes - sum(_bytes_of(sizes[name], bits) for name, bits in plan.items())
    if left < 0:
        raise ValueError("the budget is too small")
    while True:
        upgrades = []
        for name, bits in plan.items():
            offered = sensitivity[name]
            for other in [b for b in offered if b > bits]:
                extra = _bytes_of(sizes[name], other) - _bytes_of(sizes[name], bits)
                gain = offered[bits] - offered[other]
                if gain > 0 and extra <= left:
                    upgrades.append((gain, name, other, extra))
        if not upgrades:
            return plan
        _, name, other, extra = max(upgrades, key=lambda upgrade: upgrade[0])
        plan[name], left = other, left - extra
