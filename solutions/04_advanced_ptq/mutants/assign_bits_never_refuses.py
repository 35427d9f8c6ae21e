# loses: 4.5/values
# mistake: gives the cheapest plan when no plan fits the budget
_fitting = assign_bits


def assign_bits(sensitivity, sizes, budget_bytes):
    try:
        return _fitting(sensitivity, sizes, budget_bytes)
    except ValueError:
        return {name: min(offered) for name, offered in sensitivity.items()}
