# loses: 4.5/values
# mistake: returns the cheapest plan when even that one is too dear
_feasible = assign_bits


def assign_bits(sensitivity, sizes, budget_bytes):
    try:
        return _feasible(sensitivity, sizes, budget_bytes)
    except ValueError:
        return {name: min(offered) for name, offered in sensitivity.items()}
