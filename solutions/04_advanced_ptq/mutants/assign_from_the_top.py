# loses: 4.5/values
# mistake: takes bits away, step by step, until it fits: stops short where KL rises
def assign_bits(sensitivity, sizes, budget_bytes):
    plan = {name: max(offered) for name, offered in sensitivity.items()}
    while sum(_bytes_of(sizes[name], bits) for name, bits in plan.items()) > budget_bytes:
        downgrades = []
        for name, bits in plan.items():
            lower = [b for b in sensitivity[name] if b < bits]
            if lower:
                harm = sensitivity[name][max(lower)] - sensitivity[name][bits]
                downgrades.append((harm, name, max(lower)))
        if not downgrades:
            raise ValueError("the budget is too small")
        _, name, bits = min(downgrades)
        plan[name] = bits
    return plan
