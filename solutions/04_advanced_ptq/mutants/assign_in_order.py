# loses: 4.5/values
# mistake: gives the first layers all they want, and the last what is left
def assign_bits(sensitivity, sizes, budget_bytes):
    plan = {name: min(offered) for name, offered in sensitivity.items()}
    left = budget_bytes - sum(_bytes_of(sizes[name], bits) for name, bits in plan.items())
    if left < 0:
        raise ValueError("the budget is too small")
    for name, offered in sensitivity.items():
        least = _bytes_of(sizes[name], plan[name])
        best = min((b for b in offered if _bytes_of(sizes[name], b) - least <= left), key=lambda b: offered[b])
        left -= _bytes_of(sizes[name], best) - least
        plan[name] = best
    return plan
