# loses: 4.5/state
# mistake: greedy that takes the options it has passed out of the caller's dicts
def assign_bits(sensitivity, sizes, budget_bytes):
    plan = {name: min(offered) for name, offered in sensitivity.items()}
    left = budget_bytes - sum(_bytes_of(sizes[name], bits) for name, bits in plan.items())
    if left < 0:
        raise ValueError("the budget is too small")
    while True:
        upgrades = []
        for name, bits in plan.items():
            for other in [b for b in sensitivity[name] if b > bits]:
                extra = _bytes_of(sizes[name], other) - _bytes_of(sizes[name], bits)
                gain = sensitivity[name][bits] - sensitivity[name][other]
                if gain > 0 and extra <= left:
                    upgrades.append((gain / extra if extra else math.inf, name, other, extra))
        if not upgrades:
            return plan
        _, name, other, extra = max(upgrades, key=lambda upgrade: upgrade[0])
        sensitivity[name].pop(plan[name])
        plan[name], left = other, left - extra
