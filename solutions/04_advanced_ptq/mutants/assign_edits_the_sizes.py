# loses: 4.5/state
# mistake: turns the caller's sizes into bits
_exact = assign_bits


def assign_bits(sensitivity, sizes, budget_bytes):
    plan = _exact(sensitivity, sizes, budget_bytes)
    for name, bits in plan.items():
        sizes[name] *= bits
    return plan
